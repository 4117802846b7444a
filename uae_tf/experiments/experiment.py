"""The run of an experiment: jobs in order, results after each, and going on."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console

from . import summary
from .pictures import Pictures
from .progress import JobProgress
from .report import write_report
from .seed_run import Bench, SeedRun
from .settings import ExperimentSettings
from .storage import environment, is_compatible, read_json, write_json

RESULTS, REPORT = "results.json", "report.html"
#: More seeds and other arms leave those that are done as they are.
_MAY_DIFFER = ("arms", "seeds")


class Experiment(ABC):
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

    name: ClassVar[str]
    seed_run: ClassVar[type[SeedRun]] = SeedRun
    pictures_type: ClassVar[type[Pictures]] = Pictures
    #: Numbers of a run beside those of every experiment, for the rows.
    statistics: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        settings: ExperimentSettings,
        bench: Bench,
        out: Path,
        resume: bool,
        console: Console,
    ) -> None:
        self.settings = settings
        self.out = out
        self.runs: dict[str, dict[str, dict[str, Any]]] = {}
        self.tuning: dict[str, float] = {}
        self.further: dict[str, dict[str, dict[str, Any]]] = {}
        self.environment = environment()
        self.bench = bench
        self.is_resumed = self._restore(resume)
        self.seeds = [settings.seed + i for i in range(settings.seeds)]
        self.progress = JobProgress(len(self.seeds) * len(settings.arms), console)

    def run(self) -> dict[str, Any]:
        """Runs the jobs still to do, and returns what results.json holds.

        An interruption loses the job it interrupts and no other.
        """
        originals, pictures = self.out / "originals", self.out / "figures.npz"
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.is_resumed:
            # Of a run before this one, perhaps with other settings.
            for path in (*originals.glob("original-*.npz"), pictures):
                path.unlink(missing_ok=True)
        self.pictures = self.pictures_type(pictures)
        is_complete = False
        try:
            with self.progress:
                for seed in self.seeds:
                    self._run_seed(seed)
            is_complete = True
        except KeyboardInterrupt:
            # Everything finished is on disk; the report shows the rest as pending.
            pass
        results = self._write(is_complete)
        figures = self.pictures.figures(results["rows"])
        write_report(results, figures, self.out / REPORT)
        return results

    def _run_seed(self, seed: int) -> None:
        run = self.seed_run(self.bench, seed, self.out / "originals", self.progress)
        for arm in self.settings.arms:
            done = self.runs.setdefault(arm, {})
            if str(seed) not in done:
                stddev = self._stddev(run) if arm == "gaussian_tuned" else None
                numbers = run.run(arm, stddev)
                # First: a job that is done is never run again for its pictures.
                if seed == self.seeds[0]:
                    self.pictures.collect(run, arm)
                done[str(seed)] = numbers
                self._write(is_complete=False)
            self.progress.finish_job()
        self.run_further(run)

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

    def _stddev(self, run: SeedRun) -> float:
        """Chosen once, with the first seed that needs it, and told in the notes."""
        if not self.tuning:
            self.tuning = run.tune()
        return summary.best_stddev(self.tuning)

    def _write(self, is_complete: bool) -> dict[str, Any]:
        rows = summary.rows(self.settings, self.runs, self.statistics)
        results = {
            "experiment": self.name,
            "settings": self._described_settings(),
            "environment": self.environment,
            "rows": [row | self.paper_numbers(row["arm"]) for row in rows],
            "verdict": summary.judge(self.settings, self.runs),
            "notes": self.notes(),
            "tuning": self.tuning,
            "complete": is_complete,
            "command": self.environment["command"],
            "runs": self.runs,
            **self.further_results(),
        }
        write_json(self.out / RESULTS, results)
        return results

    def _described_settings(self) -> dict[str, Any]:
        settings = self.settings.to_dict()
        # A folder is where this machine keeps the data, not what the result depends on.
        del settings["data_dir"]
        settings |= self.bench.described_settings()
        settings["samples"] = len(self.bench.data.x_train)
        return settings

    def _restore(self, resume: bool) -> bool:
        """Takes over what a run in the same folder has done; returns whether it did."""
        saved = saved_run(self.out, self.name, resume, {"settings", "runs", "tuning"})
        if saved is None:
            return False
        is_compatible(saved["settings"], self._described_settings(), _MAY_DIFFER)
        self.runs = saved["runs"]
        self.tuning = saved["tuning"]
        self.further = saved.get("further", {})
        return True


def saved_run(
    out: Path, name: str, resume: bool, needed: set[str]
) -> dict[str, Any] | None:
    """What a run in the folder has written, if this one is to go on from it.

    Args:
        out: folder of the run.
        name: the experiment's.
        resume: whether to go on.
        needed: what its results.json must hold.

    Returns:
        The saved results; None where there are none, or a finished run is replaced.

    Raises:
        ValueError: an unfinished run would be lost, or it is of something else.
    """
    path = out / RESULTS
    if not path.exists():
        return None
    saved = read_json(path)
    if not resume:
        if not saved.get("complete"):
            raise ValueError(
                f"{path} holds an unfinished run. Go on with --resume, or choose "
                "another folder with --out."
            )
        return None
    if needed - set(saved) or saved.get("experiment") != name:
        raise ValueError(
            f"{path} does not hold a run of `{name}` to resume. Choose "
            "another folder with --out."
        )
    return saved


def check_folder(out: Path) -> None:
    """Refuses a folder that cannot be written to, before any training."""
    nearest = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise ValueError(
            f"`out` must be a folder. Received: {out}, but {nearest} is a file."
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(
            f"`out` must be a folder you may write to. Received: {out}, but {nearest} "
            "is read-only for you."
        )
