"""An experiment of arms: each of them trained and measured with each seed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console

from . import summary
from .pictures import Pictures
from .progress import JobProgress
from .resumable_run import ResumableRun
from .seed_run import Bench, SeedRun
from .settings import ExperimentSettings


class Experiment(ResumableRun):
    """One experiment: its arms for all its seeds, written down job by job.

    Subclasses say what is trained and measured, and what the paper has beside it.

    Args:
        settings: of the experiment.
        bench: what all seeds share.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.

    Raises:
        ValueError: a folder that holds another run; nothing has been written then.
    """

    # More seeds and other arms leave those that are done as they are.
    may_differ = ("arms", "seeds")
    needed = frozenset({"settings", "runs", "tuning"})
    seed_run: ClassVar[type[SeedRun]] = SeedRun
    pictures_type: ClassVar[type[Pictures]] = Pictures
    #: Numbers of a run beside those of every experiment, for the rows.
    statistics: ClassVar[tuple[str, ...]] = ()
    settings: ExperimentSettings

    def __init__(
        self,
        settings: ExperimentSettings,
        bench: Bench,
        out: Path,
        resume: bool,
        console: Console,
    ) -> None:
        super().__init__(settings, out)
        self.bench = bench
        saved = self.restore(resume) or {}
        self.tuning: dict[str, float] = saved.get("tuning", {})
        #: What is no arm, by seed; read back from results.json.
        self.further: dict[str, dict[str, dict[str, Any]]] = saved.get("further", {})
        self.seeds = [settings.seed + i for i in range(settings.seeds)]
        self.progress = JobProgress(len(self.seeds) * len(settings.arms), console)

    def prepare(self) -> None:
        originals, pictures = self.out / "originals", self.out / "figures.npz"
        if not self.is_resumed:
            # Of a run before this one, perhaps with other settings.
            for path in (*originals.glob("original-*.npz"), pictures):
                path.unlink(missing_ok=True)
        self.pictures = self.pictures_type(pictures)

    def run_jobs(self) -> None:
        for seed in self.seeds:
            run = self.seed_run(self.bench, seed, self.out / "originals", self.progress)
            for arm in self.settings.arms:
                self._run_arm(run, arm, seed)
                self.progress.finish_job()
            self.run_further(run)

    def _run_arm(self, run: SeedRun, arm: str, seed: int) -> None:
        done = self.runs.setdefault(arm, {})
        if str(seed) in done:
            return
        stddev = self._stddev(run) if arm == "gaussian_tuned" else None
        numbers = run.run(arm, stddev)
        # First: a job that is done is never run again for its pictures.
        if seed == self.seeds[0]:
            self.pictures.collect(run, arm)
        done[str(seed)] = numbers
        self.write()

    def figures(self, results: Mapping[str, Any]) -> dict[str, Any]:
        return self.pictures.figures(results["rows"])

    @abstractmethod
    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        """What the paper has for an arm, by the key of the row."""

    def notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        return summary.notes(self.settings, self.tuning)

    def further_results(self) -> dict[str, Any]:
        """What else belongs into results.json; ``further`` itself is read back."""
        return {}

    def run_further(self, run: SeedRun) -> None:
        """Measures what is no arm, into ``further``, after the arms of a seed."""
        del run

    def conclusions(self) -> dict[str, Any]:
        rows = summary.rows(self.settings, self.runs, self.statistics)
        return {
            "rows": [row | self.paper_numbers(row["arm"]) for row in rows],
            "verdict": summary.judge(self.settings, self.runs),
            "notes": self.notes(),
            "tuning": self.tuning,
            **self.further_results(),
        }

    def described_settings(self) -> dict[str, Any]:
        settings = super().described_settings() | self.bench.described_settings()
        settings["samples"] = len(self.bench.data.x_train)
        return settings

    def _stddev(self, run: SeedRun) -> float:
        """Chosen once, with the first seed that needs it, and told in the notes."""
        if not self.tuning:
            self.tuning = run.tune()
        return summary.best_stddev(self.tuning)
