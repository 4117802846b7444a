"""What one process does of an experiment of arms, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import summary
from .pictures import Pictures
from .progress import Steps
from .resumable_run import FIGURES
from .seed_run import Bench, SeedRun

#: Folder of the weights that attacks are made against.
ORIGINALS = "originals"
#: The arm whose noise is chosen before it is trained.
TUNED = "gaussian_tuned"
#: Kinds of findings.
ARM, FURTHER, TUNING = "arm", "further", "tuning"


@dataclass(frozen=True)
class SeedTask:
    """What is still to do with a seed.

    Attributes:
        seed: of all jobs.
        arms: to train and measure, in order.
        further: names of what is no arm.
        tuning: validation error of each candidate for gaussian_tuned; empty where they
            are still to be trained.
        is_pictured: whether the figures are of this seed.
    """

    seed: int
    arms: tuple[str, ...]
    further: tuple[str, ...] = ()
    tuning: dict[str, float] | None = None
    is_pictured: bool = False


@dataclass(frozen=True)
class Finding:
    """A job that is done.

    Attributes:
        kind: `ARM`, `FURTHER` or `TUNING`.
        name: of the arm, or of what else it is.
        seed: that it was done with.
        numbers: what was measured.
    """

    kind: str
    name: str
    seed: int
    numbers: dict[str, Any]


class SeedWorker:
    """Does tasks with one bench, and keeps what the figures are drawn from.

    Args:
        bench: what all seeds share.
        seed_run: trains and measures.
        pictures: type of what is kept.
        out: folder for figures and the originals' weights.
        steps: where the work is shown.
    """

    def __init__(
        self,
        bench: Bench,
        seed_run: type[SeedRun],
        pictures: type[Pictures],
        out: Path,
        steps: Steps,
    ) -> None:
        self.bench = bench
        self.seed_run = seed_run
        self.pictures = pictures(out / FIGURES)
        self.originals = out / ORIGINALS
        self.steps = steps

    def __call__(self, task: SeedTask) -> Iterator[Finding]:
        run = self.seed_run(self.bench, task.seed, self.originals, self.steps)
        tuning = task.tuning
        for arm in task.arms:
            stddev = None
            if arm == TUNED:
                if not tuning:
                    # Chosen once, with the first seed that needs it.
                    tuning = run.tune()
                    yield Finding(TUNING, arm, task.seed, tuning)
                stddev = summary.best_stddev(tuning)
            numbers = run.run(arm, stddev)
            # First: a job that is done is never run again for its pictures.
            if task.is_pictured:
                self.pictures.collect(run, arm)
            yield Finding(ARM, arm, task.seed, numbers)
        for name in task.further:
            yield Finding(FURTHER, name, task.seed, run.further(name))
