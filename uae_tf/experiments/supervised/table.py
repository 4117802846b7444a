"""What the tables of the supervised experiments have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .bench import Bench, Progress
from .settings import SupervisedSettings

#: job/name -> array, of all jobs that are done.
Arrays = Mapping[str, np.ndarray]

#: What `Bench.measure` gives, as columns, with the statistic over images.
MEASURED = (
    "similarity",
    "mi_all",
    "mi_permutation",
    "l2",
    "linf",
    "ssim",
)


class Outcome(NamedTuple):
    """What a job gives.

    Attributes:
        numbers: for results.json.
        arrays: for rows and figures, kept beside it.
    """

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray]


Job = Callable[[Progress], Outcome]


class Table(ABC):
    """One table: its jobs, and what is told of those that are done.

    Args:
        settings: of the experiment.
        bench: data and classifiers.
    """

    #: Above the page.
    title: ClassVar[str]
    #: The column every row has, once it is measured.
    primary: ClassVar[str] = "success_rate"

    def __init__(self, settings: SupervisedSettings, bench: Bench) -> None:
        self.settings = settings
        self.bench = bench

    @abstractmethod
    def jobs(self) -> dict[str, Job]:
        """Jobs by name, in the order they are run."""

    @abstractmethod
    def rows(self, runs: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
        """Rows of the table, of the jobs that are done; ``arm`` is the first column."""

    @abstractmethod
    def findings(self, rows: Sequence[Mapping[str, Any]], arrays: Arrays) -> list[str]:
        """What came out, in sentences."""

    @abstractmethod
    def figures(
        self, rows: Sequence[Mapping[str, Any]], arrays: Arrays
    ) -> dict[str, Figure]:
        """The figures that can be drawn."""

    @abstractmethod
    def meanings(self) -> dict[str, str]:
        """What each row is."""

    def notes(self, runs: Mapping[str, Any]) -> list[str]:
        """What a reader must know beside the numbers."""
        del runs
        return []

    def titles(self) -> dict[str, str]:
        """Heads of columns in place of the usual ones, by key."""
        return {}


def grouped(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """Arrays of all jobs whose names begin so, joined over the jobs' images."""
    found: dict[str, list[np.ndarray]] = {}
    for key, array in arrays.items():
        job, _, name = key.rpartition("/")
        if job == prefix or job.startswith(f"{prefix}/"):
            found.setdefault(name, []).append(array)
    # Traces have the images on the last axis, all else on the first.
    return {
        name: np.concatenate(parts, axis=-1 if name.startswith("trace_") else 0)
        for name, parts in found.items()
    }


def attack_row(name: str, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """A row of an attack: success rate, and means over the images it succeeded on."""
    success = found["success"].astype(bool)
    row: dict[str, Any] = {"arm": name, "success_rate": float(success.mean())}
    for key in MEASURED:
        if key in found:
            row[key] = over_images(found[key][success])
    return row


def over_images(values: np.ndarray) -> dict[str, float] | None:
    """Mean and standard deviation of the finite values, None where there are none."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return None
    std = float(finite.std(ddof=1)) if len(finite) > 1 else None
    return {"mean": float(finite.mean()), "std": std}
