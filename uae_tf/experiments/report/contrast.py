"""Figures of the contrastive experiment; each takes arrays, returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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

#: Epochs that are averaged for the line of the loss.
SMOOTHED = 5
#: Okabe and Ito's palette, and two more: ten classes.
_CLASS_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#D55E00", "#F0E442", "#000000", "#8b949e", "#7a5195"),
)


def five_epoch_means(losses: Sequence[float], width: int = SMOOTHED) -> np.ndarray:
    """Means over successive groups of epochs; what is left over at the end counts too.

    Args:
        losses: one per epoch.
        width: epochs per group.

    Returns:
        ``(groups,)``.

    Example:
        >>> five_epoch_means([5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.5]).tolist()
        [3.0, 0.5]
    """
    values = np.asarray(losses, dtype=float)
    return np.array(
        [values[i : i + width].mean() for i in range(0, len(values), width)]
    )


def learning_curves(
    losses: Mapping[str, Sequence[Sequence[float]]],
    neighbours: Mapping[str, Sequence[Sequence[Sequence[float]]]],
) -> Figure:
    """Show how training went: the loss, and how good neighbours features are.

    Args:
        losses: arm -> one list per seed, the loss of each epoch.
        neighbours: arm -> one list per seed of (epoch, accuracy in [0, 1]).

    Returns:
        The figure: left the loss, single epochs of every seed faint and their
        five-epoch means over all seeds as a line; right the mean accuracy of the
        nearest neighbours on test data.

    Raises:
        ValueError: no arm with a loss.

    Example:
        >>> curves = {"original": [[3.0, 2.0, 1.5]]}
        >>> len(learning_curves(curves, {"original": [[[1, 0.3], [3, 0.4]]]}).axes)
        2
    """
    arms = [arm for arm in losses if any(len(seed) for seed in losses[arm])]
    if not arms:
        raise ValueError("losses must hold one arm with a loss, got none.")
    ends = {arm: np.mean([s[-1][1] for s in neighbours[arm] if s]) for arm in arms}
    text = ", ".join(f"{arm} {100 * end:.1f} %" for arm, end in ends.items())
    figure = new_figure(
        10.0,
        4.6,
        f"Loss and accuracy of the neighbours over the epochs. At the end: {text}.",
    )
    left, right = figure.subplots(1, 2)
    for number, arm in enumerate(arms):
        look = _look(arm, number)
        seeds = [np.asarray(s, dtype=float) for s in losses[arm] if len(s)]
        for values in seeds:
            epochs = np.arange(1, len(values) + 1)
            left.plot(epochs, values, color=look["color"], linewidth=0.7, alpha=0.4)
        length = min(len(values) for values in seeds)
        # One group would be a point, not a line.
        width = SMOOTHED if length > SMOOTHED else 1
        means = five_epoch_means(np.mean([v[:length] for v in seeds], axis=0), width)
        centres = five_epoch_means(np.arange(1, length + 1), width)
        left.plot(centres, means, **look)
        points = [np.asarray(s, dtype=float) for s in neighbours[arm] if len(s)]
        points = [p for p in points if len(p) == max(map(len, points))]
        if points:
            epochs, accuracy = np.mean(points, axis=0).T
            right.plot(epochs, 100.0 * accuracy, label=arm, **look)
    left.set_ylabel("contrastive loss in training (nats)", fontsize=LABEL)
    right.set_ylabel("kNN accuracy on test data (%)", fontsize=LABEL)
    for axes in (left, right):
        axes.set_xlabel("epoch (pass over the augmented data)", fontsize=LABEL)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
    figure.legend(
        *right.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        fontsize=SMALL,
        frameon=False,
    )
    return figure


def robustness(curves: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> Figure:
    """Show how the accuracy of the linear head falls as an adversary's reach grows.

    Args:
        curves: arm -> one list per seed of (epsilon, accuracy in [0, 1]).

    Returns:
        The figure: a line per arm, the mean over its seeds.

    Raises:
        ValueError: no arm.

    Example:
        >>> figure = robustness({"original": [[[0.0, 0.5], [0.1, 0.2]]]})
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [50.0, 20.0]
    """
    if not curves:
        raise ValueError("curves must hold one arm or more, got none.")
    means = {arm: np.mean(seeds, axis=0) for arm, seeds in curves.items()}
    ends = ", ".join(f"{arm} {100 * m[-1, 1]:.1f} %" for arm, m in means.items())
    figure = new_figure(
        6.6,
        4.4,
        "Accuracy of the linear head under an adversary of growing reach. At the "
        f"largest: {ends}.",
    )
    axes = figure.subplots()
    for number, (arm, points) in enumerate(means.items()):
        radii, accuracy = points.T
        look = _look(arm, number)
        axes.plot(255 * radii, 100 * accuracy, label=arm, marker="o", ms=3, **look)
    axes.set_xlabel("largest change of a pixel (1/255)", fontsize=LABEL)
    axes.set_ylabel("accuracy of the linear head (%)", fontsize=LABEL)
    axes.set_ylim(bottom=0)
    tidy(axes)
    axes.legend(fontsize=SMALL, frameon=False)
    return figure


def embeddings(
    points: Mapping[str, np.ndarray], labels: np.ndarray, names: Sequence[str]
) -> Figure:
    """Show features of test samples in the plane, coloured by class.

    Args:
        points: arm -> ``(N, 2)``.
        labels: ``(N,)`` class numbers, which no encoder has seen.
        names: one per class.

    Returns:
        The figure: one panel per arm.

    Raises:
        ValueError: no arm.

    Example:
        >>> points = {"untrained": np.eye(2), "original": np.eye(2)}
        >>> len(embeddings(points, np.array([0, 1]), ["cat", "dog"]).axes)
        2
    """
    if not points:
        raise ValueError("points must hold one arm or more, got none.")
    figure = new_figure(
        10.0,
        0.8 + 10.0 / max(len(points), 2),
        f"Features of {len(labels)} test samples in the plane, coloured by class, for "
        f"the encoders {', '.join(points)}.",
    )
    grid = figure.subplots(1, max(len(points), 2), squeeze=False)[0]
    for axes in grid[len(points) :]:
        axes.set_axis_off()
    for axes, (arm, places) in zip(grid, points.items(), strict=False):
        for number, name in enumerate(names):
            rows = labels == number
            colour = _CLASS_COLOURS[number % len(_CLASS_COLOURS)]
            axes.scatter(*places[rows].T, s=7, color=colour, linewidths=0, label=name)
        axes.set_title(arm, fontsize=LABEL, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(len(names), 10),
        fontsize=SMALL,
        frameon=False,
        markerscale=2.5,
    )
    return figure


def retrieval(
    queries: np.ndarray,
    found: Mapping[str, np.ndarray],
    is_same_class: Mapping[str, np.ndarray],
) -> Figure:
    """Show which training samples the features of test samples are nearest to.

    Args:
        queries: ``(Q, height, width, channels)`` in [0, 1], test samples.
        found: arm -> ``(Q, k, height, width, channels)``, the nearest first.
        is_same_class: arm -> ``(Q, k)`` bool.

    Returns:
        The figure: a block per arm, a line per query; a frame tells whether a
        neighbour is of the query's class (blue) or not (orange, and faded).

    Raises:
        ValueError: no arm.
    """
    if not found:
        raise ValueError("found must hold one arm or more, got none.")
    count = next(iter(found.values())).shape[1]
    # A narrow column without a picture before each block.
    widths = [1.0, *([0.3, *[1.0] * count] * len(found))]
    shares = ", ".join(f"{a} {100 * s.mean():.0f} %" for a, s in is_same_class.items())
    figure = new_figure(
        10.0,
        0.7 + 10.0 / sum(widths) * 1.04 * len(queries),
        f"{len(queries)} test samples and their {count} nearest training samples by "
        f"each encoder. Of the same class: {shares}.",
    )
    figure.set_layout_engine("constrained", w_pad=0.015, h_pad=0.015)
    grid = figure.subplots(
        len(queries), len(widths), squeeze=False, width_ratios=widths
    )
    for line, query in zip(grid, queries, strict=True):
        draw_image(line[0], np.squeeze(query), (0.0, 1.0), False)
        for axes in line[1:]:
            axes.set_axis_off()
    grid[0][0].set_title("query", fontsize=SMALL, color=INK)
    for block, (arm, images) in enumerate(found.items()):
        first = 2 + (count + 1) * block
        grid[0][first].set_title(arm, fontsize=SMALL, color=INK, loc="left")
        for line, row, same in zip(grid, images, is_same_class[arm], strict=True):
            for axes, image, is_same in zip(line[first:], row, same, strict=False):
                axes.set_axis_on()
                draw_image(axes, np.squeeze(image), (0.0, 1.0), False)
                _frame(axes, bool(is_same))
    return figure


def examples(x: np.ndarray, moved: np.ndarray, success: np.ndarray) -> Figure:
    """Show samples, their adversarial examples, and the difference.

    Args:
        x: ``(N, height, width, channels)`` in [0, 1].
        moved: the same shape: x + delta.
        success: ``(N,)`` whether the attack succeeded; where not, x stands for it.

    Returns:
        The figure: one column per sample.

    Example:
        >>> x = np.zeros((2, 4, 4, 3))
        >>> len(examples(x, x, np.array([True, False])).axes)
        6
    """
    delta = moved - x
    extent = max(float(np.abs(delta).max()), 1e-12)
    figure = new_figure(
        10.0,
        0.5 + 3 * 10.0 / len(x),
        f"{len(x)} samples, their adversarial examples and the change; the attack "
        f"succeeded on {int(success.sum())}.",
    )
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    grid = figure.subplots(3, len(x), squeeze=False)
    for row, (name, images) in enumerate({"x": x, "x + δ": moved, "δ": delta}.items()):
        limits = (-extent, extent) if name == "δ" else (0.0, 1.0)
        for axes, image in zip(grid[row], images, strict=True):
            draw_image(axes, np.squeeze(image), limits, name == "δ")
        grid[row][0].set_ylabel(name, rotation=0, ha="right", va="center")
    lengths = np.linalg.norm(delta.reshape(len(x), -1), axis=1)
    for axes, length in zip(grid[2], lengths, strict=True):
        axes.set_xlabel(f"{length:.2f}", fontsize=SMALL)
    for axes, is_found in zip(grid[0], success, strict=True):
        axes.set_title("success" if is_found else "failed", fontsize=SMALL, color=INK)
    return figure


def _look(arm: str, number: int) -> dict[str, Any]:
    """A line for an arm; colours repeat with other dashes."""
    if arm == "mine_uae":
        return {"color": ADVERSARIAL_COLOUR, "linewidth": 2.6, "zorder": 3}
    colours = [c for c in _CLASS_COLOURS if c not in (ADVERSARIAL_COLOUR, "#F0E442")]
    return {
        "color": colours[number % len(colours)],
        "linestyle": ("-", "--", ":", "-.")[number % 4],
        "linewidth": 1.6,
    }


def _frame(axes: Axes, is_same: bool) -> None:
    """A frame by class; what is of another class is faded as well."""
    for spine in axes.spines.values():
        spine.set_color(CONTROL_COLOUR if is_same else ADVERSARIAL_COLOUR)
        spine.set_linewidth(2.0)
    if not is_same:
        axes.images[0].set_alpha(0.55)
