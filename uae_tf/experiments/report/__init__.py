"""Tables, figures and the self-contained page of an experiment's results."""

from .arms_table import COLUMNS, ESSENTIAL, arms_table
from .controls_table import controls_table
from .errors import finite_errors
from .figures import convergence, errors_by_arm, gallery, relative_loss_change
from .html import render_report, write_report
from .overview import Entry, command_of, overview_table
from .render import fits, to_markdown, to_rich
from .selection import baselines_table, selected_pixels

__all__ = [
    "COLUMNS",
    "ESSENTIAL",
    "Entry",
    "arms_table",
    "baselines_table",
    "command_of",
    "controls_table",
    "convergence",
    "errors_by_arm",
    "finite_errors",
    "fits",
    "gallery",
    "overview_table",
    "relative_loss_change",
    "render_report",
    "selected_pixels",
    "to_markdown",
    "to_rich",
    "write_report",
]
