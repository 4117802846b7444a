"""An experiment of arms: each of them trained and measured with each seed."""

from __future__ import annotations

import contextlib
import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console

from . import summary
from .pictures import Pictures
from .progress import JobProgress, Steps
from .resumable_run import FIGURES, ResumableRun
from .seed_run import Bench, SeedRun
from .seed_worker import (
    ARM,
    FURTHER,
    ORIGINALS,
    TUNED,
    Finding,
    SeedTask,
    SeedWorker,
)
from .settings import ExperimentSettings
from .side_by_side import side_by_side


class Experiment(ResumableRun):
    """One experiment: its arms for all its seeds, written down job by job.

    Subclasses say what is trained and measured, and what the paper has beside it.

    Args:
        settings: of the experiment.
        bench: what all seeds share.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.
        workers: processes that share the seeds; 0: this one has them all.

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
        workers: int = 0,
    ) -> None:
        super().__init__(settings, out)
        self.bench = bench
        self.workers = workers
        saved = self.restore(resume) or {}
        self.tuning: dict[str, float] = saved.get("tuning", {})
        #: What is no arm, by seed; read back from results.json.
        self.further: dict[str, dict[str, dict[str, Any]]] = saved.get("further", {})
        self.seeds = [settings.seed + i for i in range(settings.seeds)]
        jobs = len(self.seeds) * len(settings.arms)
        self.progress = JobProgress(jobs, console, lanes=max(1, workers))

    def prepare(self) -> None:
        if not self.is_resumed:
            # Of a run before this one, perhaps with other settings.
            originals = (self.out / ORIGINALS).glob("original-*.npz")
            for path in (*originals, self.out / FIGURES):
                path.unlink(missing_ok=True)

    def run_jobs(self) -> None:
        todo = sum(len(self._task(seed).arms) for seed in self.seeds)
        self.progress.skip_jobs(len(self.seeds) * len(self.settings.arms) - todo)
        if self.workers:
            self._run_side_by_side()
            return
        work = self.worker(self.bench, self.out, self.progress)
        for seed in self.seeds:
            for finding in work(self._task(seed)):
                self._take(finding)

    @classmethod
    def worker(cls, bench: Bench, out: Path, steps: Steps) -> SeedWorker:
        """What does the jobs of seeds, in this process or in another."""
        return SeedWorker(bench, cls.seed_run, cls.pictures_type, out, steps)

    def figures(self, results: Mapping[str, Any]) -> dict[str, Any]:
        return self.pictures_type(self.out / FIGURES).figures(results["rows"])

    @abstractmethod
    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        """What the paper has for an arm, by the key of the row."""

    def notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        return summary.notes(self.settings, self.tuning)

    def further_results(self) -> dict[str, Any]:
        """What else belongs into results.json; ``further`` itself is read back."""
        return {}

    @property
    def further_names(self) -> tuple[str, ...]:
        """What is measured with each seed beside the arms, after them."""
        return ()

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

    def _task(self, seed: int) -> SeedTask:
        """What is still to do with a seed."""

        def missing(names: Iterable[str], done: Mapping[str, Any]) -> tuple[str, ...]:
            return tuple(n for n in names if str(seed) not in done.get(n, {}))

        return SeedTask(
            seed,
            arms=missing(self.settings.arms, self.runs),
            further=missing(self.further_names, self.further),
            tuning=self.tuning,
            is_pictured=seed == self.seeds[0],
        )

    def _take(self, finding: Finding, lane: int = 0) -> None:
        """Writes down what a worker has found."""
        if finding.kind in (ARM, FURTHER):
            runs = self.runs if finding.kind == ARM else self.further
            runs.setdefault(finding.name, {})[str(finding.seed)] = finding.numbers
        else:
            self.tuning = finding.numbers
        self.write()
        if finding.kind == ARM:
            self.progress.finish_job(lane)

    def _run_side_by_side(self) -> None:
        tasks = [self._task(seed) for seed in self.seeds]
        tuned = [] if self.tuning else [task for task in tasks if TUNED in task.arms]
        # The noise is chosen with one seed; the others wait for it with that arm.
        waiting = [task.seed for task in tuned[1:]]
        self._share(_without_tuned(t) if t.seed in waiting else t for t in tasks)
        self._share(self._task(seed) for seed in waiting)

    def _share(self, tasks: Iterable[SeedTask]) -> None:
        make_work = partial(
            _make_work, type(self), type(self.bench), self.settings, self.out
        )
        todo = [task for task in tasks if task.arms or task.further]
        found = side_by_side(make_work, todo, self.workers, self.progress)
        with contextlib.closing(found):
            for lane, finding in found:
                self._take(finding, lane)


def _without_tuned(task: SeedTask) -> SeedTask:
    arms = tuple(arm for arm in task.arms if arm != TUNED)
    return dataclasses.replace(task, arms=arms)


def _make_work(
    experiment: type[Experiment],
    bench: type[Bench],
    settings: ExperimentSettings,
    out: Path,
    steps: Steps,
) -> SeedWorker:
    """In a worker: as in the experiment's own process, but for the bench."""
    return experiment.worker(bench.load(settings), out, steps)
