"""Figures of a report; each takes arrays and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .errors import errors_by_arm
from .gallery import gallery
from .numbers import MINUS
from .style import (
    ADVERSARIAL_COLOUR,
    CONTROL_COLOUR,
    INK,
    LABEL,
    SMALL,
    colour_of,
    new_figure,
    tidy,
)

__all__ = ["convergence", "errors_by_arm", "gallery", "relative_loss_change"]

#: A rise of the loss that is rounding, as `evaluation.measure_examples` forgives it.
_ROUNDING = 1e-6

_PANELS = {
    "criterion": f"f: loss(x + δ) {MINUS} loss(x)",
    "similarity": "I: similarity of x and x + δ",
    "multiplier": "c: weight of the criterion",
}


def convergence(
    trace: Mapping[str, np.ndarray], similarity_label: str | None = None
) -> Figure:
    """Show how the attack went: f, similarity and multiplier over the iterations.

    Args:
        trace: arrays (iterations + 1, samples) under "criterion", "similarity" and
            "multiplier"; one that is missing has no panel. Samples with a value that
            is not finite are left out, and counted in the panel's title.
        similarity_label: axis label of the second panel, e.g. with its unit; default
            "I: similarity of x and x + δ".

    Returns:
        The figure: median over samples and the band from the 10th to the 90th
        percentile.

    Raises:
        ValueError: none of the three is there, or one is no (iterations, samples).

    Example:
        >>> trace = {"criterion": np.linspace(1, -1, 5)[:, None] * np.ones((1, 3))}
        >>> len(convergence(trace).axes)
        1
    """
    labels = _PANELS | ({"similarity": similarity_label} if similarity_label else {})
    names = [name for name in labels if name in trace]
    if not names:
        raise ValueError(f"trace must hold one of {list(labels)}, got {list(trace)}.")
    figure = new_figure(10.0, 3.5, _convergence_text(trace))
    for axes, name in zip(
        figure.subplots(1, len(names), squeeze=False)[0], names, strict=True
    ):
        values = np.asarray(trace[name], dtype=float)
        if values.ndim != 2 or not values.size:
            raise ValueError(
                f"trace[{name!r}] must be (iterations + 1, samples), "
                f"got {values.shape}."
            )
        _band(axes, values, labels[name])
        if name == "criterion":
            axes.axhline(0.0, color=ADVERSARIAL_COLOUR, linewidth=1.2, linestyle="--")
    return figure


def relative_loss_change(changes: Mapping[str, np.ndarray]) -> Figure:
    """Show, per arm, how the attacked model's loss changes from x to x + δ.

    Args:
        changes: arm -> (samples,) relative changes as fractions: -0.1 is a loss that
            is 10 % lower on x + δ. What is not finite is left out.

    Returns:
        The figure: one histogram per arm over a common axis, 0 marked, success to its
        left. The axis covers the middle 99 % of all changes; how many of an arm lie
        beyond it is said beside its share of successes, which counts all.

    Raises:
        ValueError: no arm with a finite change.

    Example:
        >>> figure = relative_loss_change({"mine_uae": np.array([-0.2, -0.1, 0.1])})
        >>> len(figure.axes)
        1
    """
    finite = {arm: _finite(values) for arm, values in changes.items()}
    finite = {arm: 100.0 * values for arm, values in finite.items() if len(values)}
    if not finite:
        raise ValueError("changes must hold one arm with a finite change, got none.")
    low, high = np.percentile(np.concatenate([*finite.values()]), [0.5, 99.5])
    low, high = min(low, 0.0), max(high, 0.0)
    # Zero is an edge: a bar across it would show successes as failures.
    width = (high - low) / 55.0 or 0.1
    bins = width * np.arange(np.floor(low / width) - 2, np.ceil(high / width) + 3)
    # Of all samples: NaN, a failure, is not at or below 0.
    shares = {arm: float(np.mean(changes[arm] <= _ROUNDING)) for arm in finite}
    figure = new_figure(10.0, 1.1 + 0.95 * len(finite), _changes_text(shares))
    panels = figure.subplots(len(finite), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (arm, values) in zip(panels, finite.items(), strict=True):
        _histogram(axes, arm, values, bins, shares[arm])
    panels[0].set_title(
        "← success: the loss does not rise",
        fontsize=LABEL,
        color=INK,
        loc="left",
    )
    panels[-1].set_xlabel(
        "relative change of the loss from x to x + δ (%)", fontsize=LABEL
    )
    return figure


def _band(axes: Axes, values: np.ndarray, label: str) -> None:
    usable = np.isfinite(values).all(axis=0)
    title = label if usable.all() else f"{label}\n({np.sum(~usable)} not finite)"
    axes.set_title(title, fontsize=LABEL, color=INK)
    axes.set_xlabel("iteration", fontsize=LABEL)
    tidy(axes)
    if not usable.any():
        return
    low, middle, high = np.percentile(values[:, usable], [10, 50, 90], axis=1)
    steps = np.arange(len(values))
    axes.fill_between(
        steps,
        low,
        high,
        color=CONTROL_COLOUR,
        alpha=0.2,
        linewidth=0,
        label="10 to 90 %",
    )
    axes.plot(steps, middle, color=CONTROL_COLOUR, linewidth=2, label="median")
    axes.margins(x=0.01)
    largest, last = np.abs([low, high]).max(), np.abs([low[-1], high[-1]]).max()
    if largest > 30.0 * last > 0.0:
        # A large start would flatten the end, where success is decided.
        axes.set_yscale("symlog", linthresh=float(last))
    axes.legend(fontsize=SMALL, frameon=False)


def _histogram(
    axes: Axes, arm: str, values: np.ndarray, bins: np.ndarray, share: float
) -> None:
    beyond = int(np.sum((values < bins[0]) | (values > bins[-1])))
    note = f"{100 * share:.1f} % at or below 0"
    axes.hist(values, bins=bins.tolist(), color=colour_of(arm), alpha=0.85)
    axes.axvline(0.0, color=INK, linewidth=1.4)
    tidy(axes, "x")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(arm, rotation=0, ha="right", va="center", fontsize=LABEL, color=INK)
    axes.text(
        1.0,
        0.95,
        f"{note}\n{beyond} beyond the axis" if beyond else note,
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=SMALL,
        color=INK,
    )


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float).ravel()
    return values[np.isfinite(values)]


def _convergence_text(trace: Mapping[str, np.ndarray]) -> str:
    text = "Median and 10 to 90 % band over samples of criterion, similarity and weight"
    if "criterion" not in trace:
        return f"{text} at each iteration."
    share = float(np.mean(np.asarray(trace["criterion"])[-1] <= 0.0))
    return (
        f"{text} at each iteration. The last iterate succeeds on {100 * share:.0f} %."
    )


def _changes_text(shares: Mapping[str, float]) -> str:
    parts = [f"{arm} {100 * share:.1f} %" for arm, share in shares.items()]
    return (
        "Histograms of the relative loss change per arm. Share of samples whose loss "
        f"does not rise: {', '.join(parts)}."
    )
