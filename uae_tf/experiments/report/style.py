"""Common looks of the figures: a colour-blind-safe palette on a white card."""

from __future__ import annotations

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .arms import ADVERSARIAL, kind_of

# Okabe and Ito's palette; the marks differ too, so that no reading rests on colour.
CONTROL_COLOUR = "#0072B2"
ADVERSARIAL_COLOUR = "#D55E00"
INK = "#22272e"
FAINT = "#8b949e"
GRID = "#e4e8ec"

#: Points. A figure 10 inches wide is about as wide as the page, so these are near
#: the size of the page's own text.
LABEL, SMALL = 10.5, 9.5


class NotebookFigure(Figure):
    """A figure that a notebook shows: outside of pyplot it would print a name only."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=100)
        return picture.getvalue()


def new_figure(width: float, height: float, description: str) -> Figure:
    """Make an empty figure that carries its own description.

    Args:
        width: inches.
        height: inches.
        description: what a person who cannot see the figure should know; the page
            uses it as alternative text.

    Returns:
        A figure outside of pyplot's global state, so it needs no closing.
    """
    figure = NotebookFigure(
        figsize=(width, height), layout="constrained", facecolor="white"
    )
    figure.set_label(description)
    return figure


def colour_of(arm: str) -> str:
    """Return the colour of an arm: one for controls, one for UAE arms."""
    return ADVERSARIAL_COLOUR if kind_of(arm) == ADVERSARIAL else CONTROL_COLOUR


def tidy(axes: Axes, grid: Literal["x", "y", "both"] = "both") -> None:
    """Remove what carries no information.

    Args:
        axes: the axes.
        grid: "x", "y" or "both".
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=SMALL, colors=INK, color=FAINT)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
