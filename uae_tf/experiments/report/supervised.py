"""Figures of the supervised experiments; each takes arrays, returns a figure."""

from __future__ import annotations

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

_COLOURS = (ADVERSARIAL_COLOUR, CONTROL_COLOUR, "#009E73", "#CC79A7", INK)
_MARKS = "os^Dv"


def search_traces(
    traces: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    bound: float | None = None,
) -> Figure:
    """Show what attacks have found after so many iterations.

    Args:
        traces: method -> iterations (points,), success so far (points, images), best
            similarity so far among the successes (points, images), NaN before the
            first.
        bound: largest value the similarity can have, drawn as a line.

    Returns:
        The figure: success rate, and mean similarity of the images that have a success.

    Raises:
        ValueError: no method.
    """
    if not traces:
        raise ValueError("traces must hold one method or more, got none.")
    last = {
        name: (success[-1].mean(), _mean(similarity[-1]))
        for name, (_, success, similarity) in traces.items()
    }
    text = "; ".join(
        f"{n} ends at {s:.0%} and {v:.2f} nats" for n, (s, v) in last.items()
    )
    figure = new_figure(
        10.0, 3.6, f"Success rate and mutual information by iteration: {text}."
    )
    rates, values = figure.subplots(1, 2)
    for colour, (name, (points, success, similarity)) in zip(
        _COLOURS, traces.items(), strict=False
    ):
        rates.plot(points, 100.0 * success.mean(axis=1), color=colour, lw=2, label=name)
        means = [_mean(row) for row in similarity]
        values.plot(points, means, color=colour, linewidth=2, label=name)
    if bound is not None:
        values.axhline(bound, color=FAINT, linestyle="--", label="its upper bound")
    rates.set_ylabel("success so far (%)", fontsize=LABEL)
    values.set_ylabel("best MI so far (nats)", fontsize=LABEL)
    for axes in (rates, values):
        axes.set_xlabel("iteration", fontsize=LABEL)
        tidy(axes)
        axes.legend(fontsize=SMALL, frameon=False)
    return figure


def examples_grid(
    x: np.ndarray,
    examples: Mapping[str, np.ndarray],
    success: Mapping[str, np.ndarray],
) -> Figure:
    """Show images and what each attack makes of them, failures marked.

    Args:
        x: (images, height, width, channels) in [0, 1].
        examples: attack -> the same shape.
        success: attack -> (images,).

    Returns:
        The figure: a row for x and one for each attack, a column per image. A failure
        has a thick frame and the word below it.
    """
    failures = {n: int(np.sum(~np.asarray(s, bool))) for n, s in success.items()}
    text = ", ".join(f"{name} {count}" for name, count in failures.items())
    figure = new_figure(
        1.6 + 1.02 * len(x),
        0.3 + 1.12 * (1 + len(examples)),
        f"{len(x)} images and their adversarial examples. Failures: {text}.",
    )
    grid = figure.subplots(1 + len(examples), len(x), squeeze=False)
    for axes, image in zip(grid[0], x, strict=True):
        draw_image(axes, np.squeeze(image), (0.0, 1.0), False)
    _name(grid[0][0], "x")
    for row, (name, images) in zip(grid[1:], examples.items(), strict=True):
        _name(row[0], name)
        for axes, image, done in zip(row, images, success[name], strict=True):
            _draw_example(axes, image, bool(done))
    return figure


def sweep_grid(
    x: np.ndarray,
    epsilons: Sequence[float],
    examples: Mapping[str, np.ndarray],
    success: Mapping[str, np.ndarray],
) -> Figure:
    """Show examples of several attacks as their bound grows, as the paper's Figure 3.

    Args:
        x: (images, height, width, channels) in [0, 1].
        epsilons: bounds.
        examples: attack -> (epsilons, images, height, width, channels).
        success: attack -> (epsilons, images).

    Returns:
        The figure: a column for x and one per bound, a row per image and attack.
    """
    lines = [(name, i) for i in range(len(x)) for name in examples]
    parts = [f"{n}: {int(np.sum(~s.astype(bool)))}" for n, s in success.items()]
    figure = new_figure(
        1.6 + 0.86 * (1 + len(epsilons)),
        0.5 + 0.98 * len(lines),
        f"Examples of {len(x)} images at {len(epsilons)} bounds. Failures of the "
        f"attacks: {', '.join(parts)}.",
    )
    grid = figure.subplots(len(lines), 1 + len(epsilons), squeeze=False)
    for row, (name, i) in zip(grid, lines, strict=True):
        draw_image(row[0], np.squeeze(x[i]), (0.0, 1.0), False)
        _name(row[0], name)
        columns = zip(row[1:], examples[name][:, i], success[name][:, i], strict=True)
        for axes, image, done in columns:
            _draw_example(axes, image, bool(done))
    titles = ["x", *(f"ε = {epsilon:g}" for epsilon in epsilons)]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=SMALL, color=INK)
    return figure


def lines_by(
    values: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    label: str,
) -> Figure:
    """Show numbers that depend on a setting, a panel per number, a line per attack.

    Args:
        values: of the setting.
        panels: label of a number -> attack -> its values; NaN where there is none.
        label: of the setting.

    Returns:
        The figure.
    """
    text = "; ".join(
        f"{name}: "
        + ", ".join(f"{n} {v[0]:.3g} to {v[-1]:.3g}" for n, v in lines.items())
        for name, lines in panels.items()
    )
    figure = new_figure(10.0, 3.2, f"Over {label}. {text}.")
    for axes, (name, lines) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        looks = zip(_COLOURS, _MARKS, lines.items(), strict=False)
        for colour, mark, (attack, numbers) in looks:
            axes.plot(values, numbers, mark + "-", color=colour, label=attack)
        axes.set_xlabel(label, fontsize=LABEL)
        axes.set_title(name, fontsize=LABEL, color=INK)
        tidy(axes)
        axes.legend(fontsize=SMALL, frameon=False)
    return figure


def distance_bars(
    distances: Mapping[str, Mapping[str, Sequence[float]]],
) -> Figure:
    """Show distances to the training data, run by run, on a logarithmic scale.

    Args:
        distances: name of the distance -> set of images -> one value per run.

    Returns:
        The figure: a panel per distance, a line per set, means as large marks.
    """
    parts = [
        f"{name}: " + ", ".join(f"{n} {np.mean(v):.3g}" for n, v in sets.items())
        for name, sets in distances.items()
    ]
    count = max(len(sets) for sets in distances.values())
    figure = new_figure(10.0, 1.2 + 0.5 * count, "Mean distances. " + "; ".join(parts))
    panels = figure.subplots(1, len(distances), squeeze=False, sharey=True)[0]
    for axes, (name, sets) in zip(panels, distances.items(), strict=True):
        for place, (images, values) in enumerate(sets.items()):
            is_reference = images in ("clean test", "attacked, as they are", "noise")
            colour = CONTROL_COLOUR if is_reference else ADVERSARIAL_COLOUR
            axes.plot([np.mean(values)], [place], "o", color=colour, markersize=9)
            axes.scatter(values, [place + 0.25] * len(values), s=14, color=colour)
        axes.set_yticks(range(len(sets)), list(sets))
        axes.set_ylim(len(sets) - 0.4, -0.6)
        # A kernel distance near 0 can fall below it.
        lowest = min(min(v) for v in sets.values())
        axes.set_xscale("log" if lowest > 0 else "symlog")
        axes.margins(x=0.12)
        # Labels between powers of ten run into each other.
        axes.tick_params(axis="x", which="minor", labelbottom=False)
        axes.set_xlabel(name, fontsize=LABEL)
        tidy(axes, "x")
        axes.tick_params(axis="y", labelsize=LABEL, length=0)
    return figure


def _draw_example(axes: Axes, image: np.ndarray, is_success: bool) -> None:
    draw_image(axes, np.squeeze(image), (0.0, 1.0), False)
    if not is_success:
        axes.spines[:].set_color(ADVERSARIAL_COLOUR)
        axes.spines[:].set_linewidth(3.0)
        axes.set_xlabel("failed", fontsize=SMALL - 1.5, color=ADVERSARIAL_COLOUR)
        axes.xaxis.labelpad = 1


def _name(axes: Axes, name: str) -> None:
    axes.set_ylabel(
        name, rotation=0, ha="right", va="center", fontsize=SMALL, color=INK, labelpad=6
    )


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
