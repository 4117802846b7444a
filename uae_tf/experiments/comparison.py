"""Paired comparison of one control arm with the candidate arm, over seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

HELPS = "helps"
NO_EFFECT = "no effect"
HURTS = "hurts"
ONE_SEED = "undecided: one seed"
NO_SEED = "undecided: no seed"
SAME_IN_ALL = "undecided: seeds do not differ"

#: Differences that spread by less, as a part of the errors, are one difference.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One control against the candidate; positive differences favour the candidate.

    Args:
        control: name of the control arm.
        seeds: number n of seeds that both arms finished with a finite error.
        excluded: seeds left out because one of the two runs failed.
        control_mean: mean error of the control over those n seeds, NaN if n = 0.
        candidate_mean: mean error of the candidate over the same seeds.
        difference: mean of control - candidate over those seeds.
        standard_error: std(control - candidate) / sqrt(n), NaN if n < 2.
        low: lower end of the Student t interval of the difference, NaN if undecided.
        high: upper end of it.
        p_value: two-sided p-value of the paired t test, NaN if undecided.
        p_holm: the same, corrected for looking at all controls.
        effect: "helps", "no effect" or "hurts" by the interval, or "undecided: ...".
        corrected_effect: the effect after the correction.
    """

    control: str
    seeds: int
    excluded: int
    control_mean: float
    candidate_mean: float
    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float
    p_holm: float
    effect: str
    corrected_effect: str

    @property
    def is_decided(self) -> bool:
        """Whether there were the two seeds, and the spread, that an interval needs."""
        return self.seeds > 1 and not math.isnan(self.p_value)

    def relative(self, difference: float) -> float:
        """Express a difference in % of the control's mean error; NaN where it is 0."""
        return 100.0 * difference / self.control_mean if self.control_mean else math.nan

    def corrected(self, p_holm: float, alpha: float) -> Comparison:
        """Return a copy with Holm's p-value, and the effect it leaves standing."""
        stands = self.effect if p_holm < alpha else NO_EFFECT
        return dataclasses.replace(self, p_holm=p_holm, corrected_effect=stands)


def compare(
    name: str, control: np.ndarray, candidate: np.ndarray, level: float = 0.95
) -> Comparison:
    """Compare one control with the candidate over the seeds both have.

    Args:
        name: the control's name.
        control: (seeds,) test errors of the control; NaN for a seed still to come,
            infinity for one that failed.
        candidate: (seeds,) test errors of the candidate, paired by position; the
            longer of the two is cut.
        level: confidence level of the interval, in (0, 1), default 0.95.

    Returns:
        The comparison, not yet corrected for other controls; `excluded` counts the
        seeds that both arms ran and one of them failed.
    """
    common = min(len(control), len(candidate))
    control, candidate = control[:common], candidate[:common]
    usable = np.isfinite(control) & np.isfinite(candidate)
    excluded = ~usable & ~np.isnan(control) & ~np.isnan(candidate)
    control, candidate = control[usable], candidate[usable]
    differences = control - candidate
    mean = float(differences.mean()) if len(differences) else math.nan
    scale = float(np.abs(control).mean()) if len(control) else 0.0
    error, half, p_value = _student(differences, level, scale)
    effect = _effect(len(differences), mean - half, mean + half)
    return Comparison(
        control=name,
        seeds=len(differences),
        excluded=int(excluded.sum()),
        control_mean=float(control.mean()) if len(control) else math.nan,
        candidate_mean=float(candidate.mean()) if len(candidate) else math.nan,
        difference=mean,
        standard_error=error,
        low=mean - half,
        high=mean + half,
        p_value=p_value,
        p_holm=p_value,
        effect=effect,
        corrected_effect=effect,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for looking at all of them (Holm 1979, step-down).

    Args:
        p_values: m p-values in [0, 1], in any order.

    Returns:
        Adjusted p-values in [0, 1] in the same order: the sorted ones times
        m, m - 1, ..., 1, made non-decreasing.

    Example:
        >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
        [0.06, 0.03, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, index in enumerate(order):
        running = max(running, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return adjusted


def _student(
    differences: np.ndarray, level: float, scale: float
) -> tuple[float, float, float]:
    """Return standard error, half width of the interval, two-sided p-value."""
    seeds = len(differences)
    if seeds < 2:
        return math.nan, math.nan, math.nan
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(seeds)
    if error <= _ROUNDING * scale:
        # Error rates are multiples of one test sample, so that few seeds often agree by
        # chance: no spread is no certainty, and leaves nothing to judge the mean by.
        same = abs(mean) <= _ROUNDING * scale
        return (0.0, 0.0, 1.0) if same else (0.0, math.nan, math.nan)
    half = float(stats.t.ppf(0.5 + level / 2.0, seeds - 1)) * error
    return error, half, float(2.0 * stats.t.sf(abs(mean) / error, seeds - 1))


def _effect(seeds: int, low: float, high: float) -> str:
    if seeds < 2:
        return ONE_SEED if seeds else NO_SEED
    if math.isnan(low):
        return SAME_IN_ALL
    if low > 0.0:
        return HELPS
    return HURTS if high < 0.0 else NO_EFFECT
