"""Figures of the semi-supervised experiment; each takes arrays, returns a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .gallery import draw_image
from .style import (
    ADVERSARIAL_COLOUR,
    CONTROL_COLOUR,
    FAINT,
    INK,
    LABEL,
    SMALL,
    new_figure,
    tidy,
)

#: Kinds of change that the slides show, in the order of the gallery.
KINDS = ("colour change", "attribute removal", "local change", "pixel-wise change")


@dataclasses.dataclass(frozen=True)
class Panel:
    """What one decision boundary is drawn from.

    Args:
        title: above the panel.
        probability: (side, side) of class 1 over the square, rows from below.
        limit: the square goes from -limit to limit on both axes.
        unlabelled: (N, 2) points.
        labelled: (L, 2) points.
        labels: (L,) their classes, 0 or 1.
        error: test error in %, None if it is not finite.
    """

    title: str
    probability: np.ndarray
    limit: float
    unlabelled: np.ndarray
    labelled: np.ndarray
    labels: np.ndarray
    error: float | None


def decision_boundaries(panels: Mapping[str, Mapping[str, Panel]]) -> Figure:
    """Show where classifiers of points in the plane draw the line.

    Args:
        panels: name of a row -> arm -> panel.

    Returns:
        The figure: a row per name, a column per arm. The plane is coloured by the
        prediction, the line is where it changes; labelled points are large.

    Raises:
        ValueError: no panel.
    """
    rows = {name: list(row.values()) for name, row in panels.items() if row}
    if not rows:
        raise ValueError("panels must hold one panel or more, got none.")
    columns = max(len(row) for row in rows.values())
    text = "; ".join(
        f"{name}: " + ", ".join(f"{p.title} {_percent(p.error)}" for p in row)
        for name, row in rows.items()
    )
    figure = new_figure(
        0.6 + 2.35 * columns,
        2.75 * len(rows),
        f"Decision boundaries over the data, with test errors. {text}.",
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (name, row) in zip(grid, rows.items(), strict=True):
        axes[0].set_ylabel(name, fontsize=LABEL, color=INK)
        for place, panel in zip(axes, row, strict=False):
            _draw_panel(place, panel)
        for empty in axes[len(row) :]:
            empty.set_visible(False)
    return figure


def generated_gallery(x: np.ndarray, examples: np.ndarray, per_kind: int = 3) -> Figure:
    """Show samples and what a generator makes of them, sorted by the kind of change.

    Args:
        x: (samples, height, width, channels) in [0, 1].
        examples: (samples, draws, height, width, channels): several z for each sample.
        per_kind: samples shown of each kind, the clearest ones.

    Returns:
        The figure: one line per sample: x, G(x, z) for each z, and the difference of
        the first of them. Which kind a change is, `kinds_of_change` decides by rules
        of thumb.

    Raises:
        ValueError: arrays that do not fit.
    """
    if examples.ndim != 5 or examples.shape[2:] != x.shape[1:]:
        raise ValueError(
            "examples must be (samples, draws, height, width, channels), as x, got "
            f"{examples.shape} for x of shape {x.shape}."
        )
    scores = kinds_of_change(x, examples[:, 0])
    kinds, strength = scores.argmax(axis=1), scores.max(axis=1)
    chosen = [
        row
        for kind in range(len(KINDS))
        for row in sorted(np.flatnonzero(kinds == kind), key=lambda i: -strength[i])[
            :per_kind
        ]
    ]
    draws = examples.shape[1]
    figure = new_figure(
        2.4 + 0.95 * (2 + draws),
        0.4 + 0.95 * len(chosen),
        f"{len(chosen)} samples, one per line: the sample, {draws} generated examples, "
        "and the difference; sorted by kind of change.",
    )
    grid = figure.subplots(len(chosen), 2 + draws, squeeze=False)
    delta = examples - x[:, None]
    extent = max(float(np.abs(delta[chosen, 0]).max()), 1e-12)
    seen = -1
    for axes, row in zip(grid, chosen, strict=True):
        images = [x[row], *examples[row]]
        for place, image in zip(axes, images, strict=False):
            draw_image(place, np.squeeze(image), (0.0, 1.0), False)
        difference = np.squeeze(delta[row, 0])
        draw_image(axes[-1], difference, (-extent, extent), True)
        if kinds[row] != seen:
            seen = kinds[row]
            axes[0].set_ylabel(
                KINDS[seen], rotation=0, ha="right", va="center", fontsize=SMALL
            )
    titles = ["x", *(f"G(x, z{_subscript(i)})" for i in range(1, draws + 1)), "change"]
    for place, title in zip(grid[0], titles, strict=True):
        place.set_title(title, fontsize=SMALL, color=INK)
    return figure


def kinds_of_change(x: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Score how much each change is of each of `KINDS`, by rules of thumb.

    Of the energy of the difference: colour is the part that a shift and scale of each
    channel explains; removal is the part that darkens or brightens towards the mean
    where the sample stood out; local is the part within the best window of a quarter
    of the sides beyond its share of the area; pixel-wise is what a 3x3 mean takes away.

    Args:
        x: (samples, height, width, channels).
        examples: the same shape.

    Returns:
        (samples, kinds) in [0, 1].
    """
    delta = examples - x
    energy = np.square(delta).sum(axis=(1, 2, 3)) + 1e-12
    flat = x - x.mean(axis=(1, 2), keepdims=True)
    shift = delta.mean(axis=(1, 2), keepdims=True)
    area = x.shape[1] * x.shape[2]
    colour = area * np.square(shift).sum(axis=(1, 2, 3)) / energy
    # The part of the difference along -(x - mean): contrast that went away.
    along = np.sum(-(delta - shift) * flat, axis=(1, 2, 3))
    removal = np.square(np.maximum(along, 0.0)) / (
        np.square(flat).sum(axis=(1, 2, 3)) * energy + 1e-12
    )
    heat = np.square(delta).sum(axis=3)
    size = (max(x.shape[1] // 4, 1), max(x.shape[2] // 4, 1))
    best = _window_sums(heat, size).max(axis=(1, 2)) / energy
    share = size[0] * size[1] / area
    local = np.clip((best - share) / (1.0 - share), 0.0, 1.0)
    smooth = _window_sums(np.moveaxis(delta, 3, 1), (3, 3)) / 9.0
    inner = delta[:, 1:-1, 1:-1]
    rough = np.square(inner - np.moveaxis(smooth, 1, 3)).sum(axis=(1, 2, 3))
    return np.stack([colour, removal, local, rough / energy], axis=1)


def sensitivity(errors: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Show how the test error depends on each method's setting.

    Args:
        errors: method -> value of its setting -> test errors in %, one per seed.

    Returns:
        The figure: one panel per method, the mean and every seed, on one scale.

    Raises:
        ValueError: no method with a finite error.

    Example:
        >>> figure = sensitivity({"vat": {"0.1": [3.0, 4.0], "1": [9.0, 8.0]}})
        >>> len(figure.axes)
        1
    """
    found = {name: _with_a_finite_error(entries) for name, entries in errors.items()}
    found = {name: entries for name, entries in found.items() if entries}
    if not found:
        raise ValueError("errors must hold one method with an error, got none.")
    spans = {n: _span(entries) for n, entries in found.items()}
    text = "; ".join(f"{n} from {a:.2f} to {b:.2f} %" for n, (a, b) in spans.items())
    figure = new_figure(
        10.0, 3.6, f"Mean test error over the values of each method's setting: {text}."
    )
    panels = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    labels = {
        "random": "ε of random steps",
        "vat": "ε of VAT",
        "generator": "λ of the generator",
        "bounded_generator": "ε of generated changes",
    }
    for axes, (name, entries) in zip(panels, found.items(), strict=True):
        values = [float(value) for value in entries]
        means = [float(np.nanmean(e)) for e in entries.values()]
        colour = ADVERSARIAL_COLOUR if "generator" in name else CONTROL_COLOUR
        axes.plot(values, means, "o-", color=colour, linewidth=2, label="mean")
        for value, seeds in zip(values, entries.values(), strict=True):
            axes.scatter([value] * len(seeds), seeds, s=14, color=FAINT, zorder=2)
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
        axes.set_xlabel(labels.get(name, name), fontsize=LABEL)
        tidy(axes)
    panels[0].set_ylabel("test error (%)", fontsize=LABEL)
    panels[0].set_ylim(bottom=0.0)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    span = (-panel.limit, panel.limit)
    axes.imshow(
        panel.probability,
        extent=(*span, *span),
        origin="lower",
        cmap="RdBu",
        vmin=-0.6,
        vmax=1.6,
        interpolation="bilinear",
    )
    if panel.probability.min() < 0.5 < panel.probability.max():
        ticks = np.linspace(*span, len(panel.probability))
        axes.contour(ticks, ticks, panel.probability, [0.5], colors=INK, linewidths=1.5)
    axes.scatter(*panel.unlabelled.T, s=0.6, color=INK, alpha=0.35, linewidths=0)
    for number, (colour, mark) in enumerate(
        ((ADVERSARIAL_COLOUR, "o"), (CONTROL_COLOUR, "s"))
    ):
        points = panel.labelled[panel.labels == number].T
        axes.scatter(*points, s=40, color=colour, marker=mark, edgecolors="white")
    axes.set_title(f"{panel.title}\n{_percent(panel.error)}", fontsize=SMALL, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(span)
    axes.set_ylim(span)


def _percent(error: float | None) -> str:
    return "failed" if error is None else f"{error:.2f} %"


def _span(entries: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    means = [float(np.nanmean(e)) for e in entries.values()]
    return min(means), max(means)


def _with_a_finite_error(
    entries: Mapping[str, Sequence[float]],
) -> dict[str, Sequence[float]]:
    return {value: e for value, e in entries.items() if np.isfinite(e).any()}


def _subscript(number: int) -> str:
    return "₀₁₂₃₄₅₆₇₈₉"[number]


def _window_sums(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sums over all windows of the last two axes."""
    windows = np.lib.stride_tricks.sliding_window_view(values, size, axis=(-2, -1))
    return windows.sum(axis=(-2, -1))
