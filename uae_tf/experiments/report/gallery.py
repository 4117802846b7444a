"""Pictures of unsupervised adversarial examples, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .numbers import MINUS
from .style import ADVERSARIAL_COLOUR, CONTROL_COLOUR, INK, SMALL, new_figure, tidy

_ROWS = ("x", "x + δ", "δ", "Φ(x)", "Φ(x + δ)")
_BELOW = ("", "", "‖δ‖₂", f"‖x {MINUS} Φ(x)‖₂", f"‖x {MINUS} Φ(x + δ)‖₂")
_DELTA = 2


def gallery(
    x: np.ndarray,
    examples: np.ndarray,
    reconstruction: np.ndarray,
    reconstruction_of_examples: np.ndarray,
    success: np.ndarray | None = None,
    titles: Sequence[str] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    image_shape: tuple[int, ...] | None = None,
    limit: int = 8,
) -> Figure:
    """Show samples, their UAEs, and what the model makes of both.

    One column per sample; rows x, x + δ, δ (diverging scale centred on 0), Φ(x) and
    Φ(x + δ). Images of one or three channels are shown as such, everything else as a
    line over its features.

    Args:
        x: (samples, *shape) the samples.
        examples: the perturbed samples x + δ, same shape.
        reconstruction: the model's output Φ(x), same number of values.
        reconstruction_of_examples: Φ(x + δ), same number of values.
        success: (samples,) whether the attack succeeded, shown above the columns.
        titles: a word per sample, e.g. its label, shown above the columns.
        bounds: the data's range, black to white, default (0, 1).
        image_shape: (height, width) or (height, width, channels) for images that come
            as vectors.
        limit: columns at most, default 8; half as many for vectors.

    Returns:
        The figure.

    Raises:
        ValueError: no sample, arrays that do not fit `x`, or bounds out of order.
    """
    x, *others = _checked(x, examples, reconstruction, reconstruction_of_examples)
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds must be (low, high) with low < high, got {bounds}.")
    shown = _image_shape(x.shape[1:], image_shape)
    columns = min(len(x), limit if shown else max(1, limit // 2))
    shape = (columns, *(shown or (-1,)))
    x, examples, first, second = (
        a[:columns].astype(float).reshape(shape) for a in (x, *others)
    )
    stack = (x, examples, examples - x, first, second)
    sizes = _lengths(examples - x), _lengths(x - first), _lengths(x - second)
    figure = _canvas(columns, shown, success)
    grid = figure.subplots(len(_ROWS), columns, squeeze=False, sharex="row")
    extent = max(float(np.nanmax(np.abs(np.nan_to_num(stack[_DELTA])))), 1e-12)
    draw = draw_image if shown else _draw_line
    for row, values in enumerate(stack):
        limits = (-extent, extent) if row == _DELTA else bounds
        for column, axes in enumerate(grid[row]):
            draw(axes, values[column], limits, row == _DELTA)
            if row >= _DELTA:
                axes.set_xlabel(f"{sizes[row - _DELTA][column]:.2f}", fontsize=SMALL)
        _label_row(grid[row][0], row)
    for axes in grid[:, 1:].flat:
        axes.tick_params(labelleft=False)
    _label_columns(grid[0], success, titles)
    if shown:
        _colour_bar(figure, grid, extent)
    return figure


def _checked(x: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    x = np.asarray(x)
    if x.ndim < 2 or not len(x):
        raise ValueError(
            f"x must be (samples, *shape), 1 sample or more, got {x.shape}."
        )
    names = ("examples", "reconstruction", "reconstruction_of_examples")
    arrays = [np.asarray(other) for other in others]
    for name, array in zip(names, arrays, strict=True):
        if len(array) != len(x) or array.size != x.size:
            raise ValueError(
                f"{name} must hold as many values as x, {x.shape}, got {array.shape}."
            )
    return [x, *arrays]


def _image_shape(
    shape: tuple[int, ...], wanted: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """Return (height, width) or (height, width, 3), None for what is no image."""
    if wanted is not None and np.prod(wanted) != np.prod(shape):
        raise ValueError(f"image_shape {wanted} does not fit samples of shape {shape}.")
    shape = tuple(wanted or shape)
    if len(shape) == 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3) else None


def _canvas(
    columns: int, shown: tuple[int, ...] | None, success: np.ndarray | None
) -> Figure:
    description = (
        f"{columns} samples, one per column, in five rows: the sample x, the perturbed "
        "sample x plus delta, delta itself, the model's output for x, and its output "
        "for the perturbed sample."
    )
    if success is not None:
        succeeded = int(np.sum(np.asarray(success[:columns], dtype=bool)))
        description += f" The attack succeeded on {succeeded} of the {columns}."
    if shown is None:
        return new_figure(1.9 + 2.2 * columns, 7.6, description)
    tall = min(2.0, max(0.4, shown[0] / shown[1]))
    figure = new_figure(2.0 + 1.08 * columns, 1.1 + 4.9 * tall, description)
    figure.set_layout_engine(
        "constrained", w_pad=0.02, h_pad=0.02, hspace=0.0, wspace=0.0
    )
    return figure


def draw_image(
    axes: Axes, image: np.ndarray, limits: tuple[float, float], is_delta: bool
) -> None:
    """Draw (height, width) or (height, width, 3) within limits, as delta if it is."""
    if is_delta and image.ndim == 3:
        # The mean over channels would cancel signed noise: show the largest change.
        largest = np.argmax(np.abs(image), axis=-1, keepdims=True)
        image = np.take_along_axis(image, largest, axis=-1)[..., 0]
    if image.ndim == 3:
        image = np.clip((image - limits[0]) / (limits[1] - limits[0]), 0.0, 1.0)
    settings: dict[str, Any] = {"vmin": limits[0], "vmax": limits[1]}
    axes.imshow(
        image,
        cmap="PuOr_r" if is_delta else "gray",
        interpolation="nearest",
        **({} if image.ndim == 3 else settings),
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#c9d1d9")


def _draw_line(
    axes: Axes, values: np.ndarray, limits: tuple[float, float], is_delta: bool
) -> None:
    margin = 0.06 * (limits[1] - limits[0])
    features = np.arange(len(values))
    colour = ADVERSARIAL_COLOUR if is_delta else CONTROL_COLOUR
    axes.plot(features, values, color=colour, linewidth=0.9)
    axes.fill_between(features, 0.0, values, color=colour, alpha=0.25, linewidth=0)
    axes.set_ylim(limits[0] - margin, limits[1] + margin)
    axes.margins(x=0.0)
    tidy(axes, "y")
    axes.tick_params(labelbottom=False, length=0)


def _label_row(axes: Axes, row: int) -> None:
    label = _ROWS[row] + (f"\n{_BELOW[row]} below" if _BELOW[row] else "")
    axes.set_ylabel(
        label,
        rotation=0,
        ha="right",
        va="center",
        fontsize=SMALL + 0.5,
        color=INK,
        labelpad=8,
    )


def _label_columns(
    row: np.ndarray, success: np.ndarray | None, titles: Sequence[str] | None
) -> None:
    for column, axes in enumerate(row):
        words = [str(titles[column])] if titles is not None else []
        colour = INK
        if success is not None:
            words.append("success" if success[column] else "failed")
            colour = INK if success[column] else ADVERSARIAL_COLOUR
        # A dollar sign in a label would start a formula.
        axes.set_title(
            "\n".join(words).replace("$", r"\$"), fontsize=SMALL, color=colour
        )


def _colour_bar(figure: Figure, grid: np.ndarray, extent: float) -> None:
    scale = ScalarMappable(Normalize(-extent, extent), "PuOr_r")
    bar = figure.colorbar(scale, ax=list(grid[_DELTA]), aspect=9, pad=0.015)
    bar.set_label("δ", fontsize=SMALL, rotation=0)
    bar.ax.tick_params(labelsize=SMALL)


def _lengths(values: np.ndarray) -> np.ndarray:
    return np.linalg.norm(values.reshape(len(values), -1), axis=1)
