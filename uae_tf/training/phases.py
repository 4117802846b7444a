"""When adversarial examples are made anew, and what is known of each time."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PhaseRecord:
    """One regeneration of the adversarial examples.

    Attributes:
        phase: 1 for the first.
        epoch: epochs trained before it.
        attacked: samples attacked, over all copies.
        success_rate: part of them whose attack succeeded, in [0, 1].
        similarity: mean similarity of the successes, in the attack's unit; NaN for an
            attack without one.
        l2: mean Euclidean norm of the successes' perturbations.
        seconds: wall time.
    """

    phase: int
    epoch: int
    attacked: int
    success_rate: float
    similarity: float
    l2: float
    seconds: float

    def as_logs(self) -> dict[str, float]:
        """The numbers as Keras logs, each name with the prefix `uae_`."""
        numbers = dataclasses.asdict(self)
        return {f"uae_{name}": numbers[name] for name in LOGGED}


#: Fields of a record that go into the logs of an epoch.
LOGGED = ("phase", "success_rate", "similarity", "l2", "seconds")


def empty_logs() -> dict[str, float]:
    """Logs before the first phase: keys must not appear halfway through a run."""
    return {f"uae_{name}": float("nan") for name in LOGGED} | {"uae_phase": 0}


@dataclass(frozen=True)
class PhaseSchedule:
    """Decides whether a phase is over, from numbers a state file can hold.

    Args:
        phase_epochs: length of a phase without `monitor`.
        warmup_epochs: epochs before the first examples; None for a first phase as long
            as the others.
        monitor: name of a metric whose plateau ends a phase, or None.
        patience: epochs without a new best value that make a plateau.
        maximize: whether larger values of the metric are better.
    """

    phase_epochs: int
    warmup_epochs: int | None
    monitor: str | None
    patience: int
    maximize: bool

    def is_due(
        self, trained: int, last: int | None, monitored: Mapping[int, float]
    ) -> bool:
        """Whether new examples are due before the next epoch.

        Args:
            trained: epochs trained so far.
            last: epochs trained when examples were last made; None for never.
            monitored: epochs trained -> the metric's value after them.
        """
        if last is None and self.warmup_epochs is not None:
            return trained >= self.warmup_epochs
        start = last or 0
        if self.monitor is None:
            return trained - start >= self.phase_epochs
        values = [monitored[n] for n in sorted(monitored) if n > start]
        return _epochs_since_best(values, self.maximize) >= self.patience


def _epochs_since_best(values: list[float], maximize: bool) -> int:
    if not values:
        return 0
    # A NaN compares false with everything, so it never counts as an improvement.
    best, since = float("-inf"), 0
    for value in values:
        score = value if maximize else -value
        since = 0 if score > best else since + 1
        best = max(best, score) if score == score else best
    return since
