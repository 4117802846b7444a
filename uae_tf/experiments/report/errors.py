"""The result in one picture: every arm's error, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .arms import ADVERSARIAL, CONTROL, kind_of
from .numbers import Statistic, exponent_for, scale_label, statistic
from .style import (
    ADVERSARIAL_COLOUR,
    CONTROL_COLOUR,
    FAINT,
    LABEL,
    SMALL,
    colour_of,
    new_figure,
    tidy,
)


def errors_by_arm(
    rows: Sequence[Mapping[str, Any]], key: str = "test_error", label: str = "test MSE"
) -> Figure:
    """Show every seed's error, and mean ± standard deviation, arm by arm.

    Args:
        rows: rows of results.json; arms without a finite error are left out.
        key: the number to show, default "test_error".
        label: its name on the axis; the scale is added.

    Returns:
        The figure: one line per arm, in the order given, the best mean marked.

    Raises:
        ValueError: no row has the number.

    Example:
        >>> rows = [{"arm": "original", "test_error": {"mean": 2.0, "std": 0.1}}]
        >>> len(errors_by_arm(rows).axes)
        1
    """
    arms = finite_errors(rows, key)
    if not arms:
        raise ValueError(f"rows must hold one arm with a finite {key!r}, got none.")
    exponent = exponent_for(entry.mean for entry in arms.values())
    factor = 10.0**-exponent
    best = min(arms, key=lambda arm: arms[arm].mean)
    figure = new_figure(10.0, 1.3 + 0.42 * len(arms), _errors_text(arms, best, label))
    axes = figure.subplots()
    axes.axvline(factor * arms[best].mean, color=FAINT, linestyle="--", linewidth=1)
    for place, (arm, entry) in enumerate(arms.items()):
        values = factor * np.asarray(entry.values, dtype=float)
        spread = factor * entry.std if np.isfinite(entry.std) else None
        _dots(axes, place, arm, values, factor * entry.mean, spread)
    axes.set_yticks(range(len(arms)), list(arms))
    axes.set_ylim(len(arms) - 0.5, -0.5)
    tidy(axes, "x")
    axes.tick_params(axis="y", labelsize=LABEL, length=0)
    axes.set_xlabel(f"{label} {scale_label(exponent)}".strip(), fontsize=LABEL)
    _legend(axes, [kind_of(arm) for arm in arms])
    return figure


def finite_errors(
    rows: Sequence[Mapping[str, Any]], key: str = "test_error"
) -> dict[str, Statistic]:
    """Arm -> its error, of the arms that `errors_by_arm` can show.

    Args:
        rows: rows of results.json.
        key: the number to show.

    Example:
        >>> finite_errors([{"arm": "original", "test_error": {"mean": None}}])
        {}
    """
    found = {str(row["arm"]): statistic(row.get(key)) for row in rows}
    return {arm: entry for arm, entry in found.items() if entry}


def _dots(
    axes: Axes,
    place: int,
    arm: str,
    values: np.ndarray,
    mean: float,
    spread: float | None,
) -> None:
    colour = colour_of(arm)
    mark = "D" if kind_of(arm) == ADVERSARIAL else "o"
    axes.errorbar(
        mean,
        place,
        xerr=spread,
        fmt=mark,
        color=colour,
        markersize=8,
        capsize=4,
        linewidth=1.8,
        zorder=3,
    )
    heights = np.full(len(values), place + 0.24)
    axes.scatter(values, heights, s=16, color=colour, alpha=0.6, linewidths=0, zorder=2)


def _legend(axes: Axes, kinds: Sequence[str]) -> None:
    looks = {
        CONTROL: ("o", CONTROL_COLOUR, "control"),
        ADVERSARIAL: ("D", ADVERSARIAL_COLOUR, "adversarial examples"),
    }
    for kind in dict.fromkeys(kinds):
        mark, colour, word = looks[kind]
        axes.plot([], [], mark, color=colour, markersize=8, label=f"{word}, mean ± std")
    axes.plot([], [], "o", color=FAINT, markersize=4, label="one seed")
    axes.plot([], [], "--", color=FAINT, label="lowest mean")
    axes.legend(
        fontsize=SMALL,
        frameon=False,
        loc="lower center",
        bbox_to_anchor=(0.45, 1.0),
        ncols=4,
    )


def _errors_text(arms: Mapping[str, Any], best: str, label: str) -> str:
    parts = [f"{arm} {entry.mean:.3g}" for arm, entry in arms.items()]
    return f"Mean {label} per arm: {', '.join(parts)}. Lowest: {best}."
