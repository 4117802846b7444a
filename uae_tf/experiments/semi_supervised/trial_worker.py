"""What one process does of the semi-supervised experiment, training by training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..progress import Steps
from .arms import Trial
from .bench import Bench
from .pictures import drawn_from
from .settings import SemiSupervisedSettings


@dataclass(frozen=True)
class TrialTask:
    """A training that is still to do.

    Attributes:
        trial: to train.
        seed: to train it with.
        is_pictured: whether the figures are of this seed.
    """

    trial: Trial
    seed: int
    is_pictured: bool


@dataclass(frozen=True)
class TrialFinding:
    """A training that is done.

    Attributes:
        task: that it was.
        numbers: what was measured; with "error" if the training diverged.
        arrays: what the figures are drawn from.
    """

    task: TrialTask
    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class TrialWorker:
    """Trains and measures with one bench.

    Args:
        bench: data and training.
        steps: where the work is shown.
    """

    def __init__(self, bench: Bench, steps: Steps) -> None:
        self.bench = bench
        self.steps = steps

    def __call__(self, task: TrialTask) -> Iterator[TrialFinding]:
        trial, seed = task.trial, task.seed
        self.steps.start(f"seed {seed}: {trial.key}")
        try:
            model, numbers = self.bench.train(trial, seed, self.steps.update)
        except FloatingPointError as error:
            # One training that diverged is a result, and no reason to stop.
            nothing = {"test_error": None, "validation_error": None, "seconds": 0.0}
            yield TrialFinding(task, {**nothing, "error": str(error)})
            return
        arrays = {}
        if task.is_pictured:
            arrays = drawn_from(self.bench, trial, model, seed)
        yield TrialFinding(task, numbers, arrays)


def load_worker(settings: SemiSupervisedSettings, steps: Steps) -> TrialWorker:
    """A worker with a bench of its own."""
    return TrialWorker(Bench(settings), steps)
