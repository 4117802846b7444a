"""Say a verdict in plain English; the rule it follows stands in verdict.py."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .comparison import HELPS, HURTS, NO_EFFECT, SAME_IN_ALL, Comparison

MINUS = "\N{MINUS SIGN}"

#: What each control shares with the UAE arms: where no difference to the control is
#: shown, this alone may explain the gain.
INGREDIENTS = {
    "original": "the plain training data",
    "duplicated": "a second copy of every sample",
    "gaussian_0.01": "weak Gaussian noise",
    "gaussian_0.001": "very weak Gaussian noise",
    "gaussian_tuned": "Gaussian noise of a well-chosen size",
    "start_noise": "the attack's random start without the attack",
    "matched_noise": "random noise as large as the perturbation",
    "conventional": "conventional augmentation",
    "criterion_only": "the same attack without the similarity term",
    "l2_uae": "the same attack with an L2 distance for the mutual information",
}


def write_verdict(
    candidate: str,
    compared: Sequence[Comparison],
    strongest: Comparison | None,
    level: float,
) -> tuple[str, tuple[str, ...]]:
    """Write the headline and the further sentences of a verdict.

    Args:
        candidate: name of the arm under test.
        compared: the corrected comparisons, one per control.
        strongest: the one the conclusion rests on, None if no seed is shared.
        level: confidence level, in (0, 1).

    Returns:
        Headline, and the details: sentences that had nothing to say are left out.
    """
    details = (
        _groups(compared),
        _attribution(candidate, compared, strongest),
        _correction(compared, level),
        _excluded(compared),
    )
    headline = _headline(candidate, compared, strongest, level)
    return headline, tuple(sentence for sentence in details if sentence)


def join_names(names: Iterable[str]) -> str:
    """Join names as English does.

    Example:
        >>> join_names(["original"]), join_names(["a", "b", "c"])
        ('original', 'a, b and c')
    """
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _headline(
    candidate: str,
    compared: Sequence[Comparison],
    strongest: Comparison | None,
    level: float,
) -> str:
    if strongest is None:
        return f"No verdict yet: {candidate} shares no finished seed with a control."
    all_finished = all(c.seeds for c in compared)
    which = (
        "the strongest control" if all_finished else "the strongest finished control"
    )
    against = f"{strongest.control}, {which}"
    change = _percent(strongest, -strongest.difference)
    if strongest.effect == SAME_IN_ALL:
        return (
            f"No verdict yet: against {against}, {candidate} changes the test error by "
            f"{change}, by as much in each of {strongest.seeds} seeds, which leaves "
            "nothing to measure chance by. Run more seeds."
        )
    if not strongest.is_decided:
        return (
            f"No verdict from one seed: against {against}, {candidate} changes the "
            f"test error by {change}, which one seed cannot tell from chance. Run "
            "three seeds or more."
        )
    sure = f"{100 * level:.4g} % interval"
    seeds = f"{strongest.seeds} seeds"
    # Student's interval does not know that an error cannot fall below 0.
    best = min(strongest.high, strongest.control_mean)
    if strongest.corrected_effect == NO_EFFECT:
        ends = (-best, -strongest.low)
        span = " to ".join(_percent(strongest, end) for end in ends)
        return (
            f"{candidate} shows no effect beyond {against}: it changes the test error "
            f"by {change} ({sure} {span}, {seeds})."
        )
    helps = strongest.corrected_effect == HELPS
    # "hurts" alone would read as if plain training were better, which it may not be.
    start, end = ("helps even", "lower") if helps else ("hurts", "higher")
    low, high = sorted((abs(strongest.low), abs(best)))
    size, low, high = (
        _percent(strongest, v).lstrip("+")
        for v in (abs(strongest.difference), low, high)
    )
    return (
        f"{candidate} {start} against {against}: its test error is {size} {end} "
        f"({sure} {low} to {high}, {seeds})."
    )


def _percent(comparison: Comparison, change: float) -> str:
    """Write a change in % of the control, or as it is where the control is 0."""
    percent = comparison.relative(change)
    text = f"{change:+.3g}" if math.isnan(percent) else f"{percent:+.1f} %"
    return (
        text.replace("-0.0 %", "0.0 %").replace("+0.0 %", "0.0 %").replace("-", MINUS)
    )


def _groups(compared: Sequence[Comparison]) -> str:
    if len(compared) < 2 or not any(c.is_decided for c in compared):
        return ""
    groups: dict[str, list[str]] = {}
    for comparison in compared:
        groups.setdefault(comparison.corrected_effect, []).append(comparison.control)
    words = {HELPS: "helps against", NO_EFFECT: "shows no effect against"}
    words[HURTS] = "hurts against"
    parts = [f"{words[e]} {join_names(groups[e])}" for e in words if e in groups]
    for effect in (e for e in groups if e not in words):
        reason = effect.partition(": ")[2]
        parts.append(f"is undecided against {join_names(groups[effect])} ({reason})")
    return f"It {'; it '.join(parts)}."


def _attribution(
    candidate: str, compared: Sequence[Comparison], strongest: Comparison | None
) -> str:
    """Say what a gain over weak controls is worth, or may not be credited to.

    Only controls whose own interval shows no gain are named: one that lost its effect
    to the correction alone is a matter of too few seeds.
    """
    if strongest is None or strongest.effect not in (NO_EFFECT, HURTS):
        return ""
    helped = [c.control for c in compared if c.corrected_effect == HELPS]
    if not helped:
        return ""
    equals = [c.control for c in compared if c.effect in (NO_EFFECT, HURTS)]
    shared = INGREDIENTS.get(strongest.control, strongest.control)
    if strongest.corrected_effect == HURTS:
        return f"Beating {join_names(helped)} is no merit then: {shared} does better."
    return (
        f"So the gain cannot be credited to what sets {candidate} apart from "
        f"{join_names(equals)}: {shared} does as well, within the uncertainty."
    )


def _correction(compared: Sequence[Comparison], level: float) -> str:
    decided = [c for c in compared if c.is_decided]
    if len(decided) < 2:
        return ""
    sentence = (
        f"These effects are corrected for looking at {len(decided)} controls (Holm, "
        f"{100 * (1 - level):.3g} % in all)"
    )
    lost = [c for c in decided if c.effect != c.corrected_effect]
    for effect in (HELPS, HURTS):
        names = [c.control for c in lost if c.effect == effect]
        if names:
            sentence += (
                f"; before that correction {join_names(names)} would read "
                f"\N{LEFT DOUBLE QUOTATION MARK}{effect}\N{RIGHT DOUBLE QUOTATION MARK}"
            )
    return f"{sentence}{', so more seeds are needed' if lost else ''}."


def _excluded(compared: Sequence[Comparison]) -> str:
    parts = [f"{c.excluded} against {c.control}" for c in compared if c.excluded]
    if not parts:
        return ""
    return (
        f"Seeds left out because a run failed (no finite error): {join_names(parts)}."
    )
