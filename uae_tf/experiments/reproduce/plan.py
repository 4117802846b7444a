"""The plan of a reproduction as a table: what is to do, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from ..report.numbers import duration
from .reproduction import DONE, NO_DATA, Step

_STYLES = {DONE: "dim", NO_DATA: "red"}


def plan_table(steps: Sequence[Step]) -> Table:
    """Draw the plan for a terminal.

    Args:
        steps: of :meth:`Reproduction.plan`.

    Returns:
        The table; the caption says how long what is left takes on two idle cores.
    """
    table = Table(box=box.SIMPLE_HEAD, caption=_expected(steps), caption_justify="left")
    for head in ("table", "run", "state"):
        # Titles may be wrapped where a terminal is narrow, numbers may not.
        table.add_column(head, no_wrap=head != "run")
    for head in ("seeds", "expected"):
        table.add_column(head, justify="right", no_wrap=True)
    for step in steps:
        run = step.run
        table.add_row(
            step.recipe.table,
            # As it stands: brackets are no markup.
            Text(run.title),
            step.state,
            str(run.settings.get("seeds", run.settings.get("runs", ""))),
            "unknown" if run.seconds is None else duration(run.seconds),
            style=_STYLES.get(step.state),
        )
    return table


def _expected(steps: Sequence[Step]) -> str:
    left = [step.run.seconds for step in steps if step.state not in (DONE, NO_DATA)]
    known = duration(sum(seconds for seconds in left if seconds is not None))
    more = f", and {left.count(None)} of unknown length" if None in left else ""
    missing = sum(step.state == NO_DATA for step in steps)
    note = f" {missing} cannot be made for lack of data." if missing else ""
    runs = "run" if len(left) == 1 else "runs"
    return f"{len(left)} {runs} to make: {known} on two idle cores{more}.{note}"
