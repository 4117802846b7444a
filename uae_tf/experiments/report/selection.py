"""What a feature selection experiment shows beside the arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .cells import Cell, Header, TableData
from .numbers import PLUS_MINUS, exponent_for, fixed, scale_label, statistic
from .style import INK, LABEL, colour_of, new_figure

#: Arms that stand beside the baselines, where they were run.
_COMPARED = ("original", "mine_uae")
_COLUMNS = 5


def baselines_table(results: Mapping[str, Any]) -> TableData | None:
    """Lay out methods without a network beside the concrete autoencoder's arms.

    Args:
        results: the experiment's results.

    Returns:
        The table, None where no baseline was measured.
    """
    baselines = results.get("baselines") or []
    if not baselines:
        return None
    arms = {str(row["arm"]): row for row in results.get("rows") or ()}
    rows = [*(arms[a] for a in _COMPARED if a in arms), *baselines]
    errors = [statistic(row.get("linear_error")) for row in rows]
    exponent = exponent_for(found.mean for found in errors if found)
    scale = 10.0**-exponent
    return TableData(
        "Methods that need no network",
        (
            Header("method"),
            Header(
                "linear error",
                scale_label(exponent),
                "Mean squared error, on test data, of a linear regression from the "
                "selected features to all.",
            ),
            Header(
                "accuracy",
                "%",
                "Of 50 extremely randomised trees on the selected features.",
            ),
            Header("distinct", "", "Number of different features."),
        ),
        tuple(
            (
                Cell(str(row["arm"])),
                _cell(row.get("linear_error"), scale, 3),
                _cell(row.get("accuracy"), 100.0, 2),
                _cell(row.get("distinct"), 1.0, 1),
            )
            for row in rows
        ),
    )


def selected_pixels(mean_image: np.ndarray, selected: Mapping[str, Any]) -> Figure:
    """Mark what each arm selected on the mean of the training images.

    Args:
        mean_image: (height, width, channels) in [0, 1].
        selected: arm -> positions in the flattened image.

    Returns:
        The figure, one panel per arm.

    Example:
        >>> len(selected_pixels(np.zeros((4, 4, 1)), {"original": [0, 5]}).axes)
        1
    """
    rows = -(-len(selected) // _COLUMNS)
    counts = ", ".join(f"{a} {len(np.unique(s))}" for a, s in selected.items())
    figure = new_figure(
        10.0,
        0.3 + 2.3 * rows,
        f"Selected pixels on the mean image; number of different ones: {counts}.",
    )
    grid = figure.subplots(rows, min(_COLUMNS, len(selected)), squeeze=False)
    for axes in grid.flat[len(selected) :]:
        axes.set_axis_off()
    background = mean_image.mean(axis=-1)
    for axes, (arm, features) in zip(grid.flat, selected.items(), strict=False):
        axes.imshow(background, cmap="gray", vmin=0.0, vmax=1.0)
        row, column, _ = np.unravel_index(np.asarray(features), mean_image.shape)
        axes.scatter(column, row, s=22, marker="s", color="#e69f00", linewidths=0)
        axes.set_title(arm, fontsize=LABEL, color=colour_of(arm) or INK)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _cell(entry: object, factor: float, decimals: int) -> Cell:
    found = statistic(entry)
    if found is None:
        return Cell("")
    short = text = fixed(factor * found.mean, decimals)
    if np.isfinite(found.std):
        text += f" {PLUS_MINUS} {fixed(factor * found.std, decimals)}"
    return Cell(text, short)
