"""Draw a table in the terminal or as GitHub Markdown."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from .cells import Cell, TableData

_STYLES = {
    "helps": "green",
    "hurts": "red",
    "failed": "red",
    "pending": "dim",
    "undecided": "dim",
}


def to_rich(table: TableData, width: int | None = None) -> Table:
    """Draw a table for the terminal.

    Args:
        table: the table.
        width: columns of the terminal, `console.width`. Where the table does not fit,
            spreads are left out first (but for the second column, the result), then
            columns from the right; the caption says how many. None: no limit.

    Returns:
        A `rich.table.Table`; print it with `rich.console.Console().print`. Columns
        in which no row has text are left out.
    """
    kept = _columns_with_text(table)
    is_short = width is not None and _width(table, kept, is_short=False) > width
    all_kept = len(kept)
    while width is not None and len(kept) > 2 and _width(table, kept, is_short) > width:
        kept = kept[:-1]
    left_out = all_kept - len(kept)
    words = "column" if left_out == 1 else "columns"
    note = f" ({left_out} more {words} in the report)" if left_out else ""
    drawn = Table(title=table.caption + note, box=box.SIMPLE_HEAD, title_justify="left")
    for index in kept:
        drawn.add_column(
            Text(_head(table, index)),
            justify="right" if index else "left",
            vertical="bottom",
            no_wrap=True,
        )
    for row in table.rows:
        drawn.add_row(*(_styled(row[i], is_short and i != 1) for i in kept))
    return drawn


def fits(table: TableData, width: int) -> bool:
    """Tell whether `to_rich` can show every column, if need be without spreads.

    Args:
        table: the table.
        width: columns of the terminal.
    """
    return _width(table, _columns_with_text(table), is_short=True) <= width


def to_markdown(table: TableData) -> str:
    """Write a table as GitHub Markdown.

    Args:
        table: the table.

    Returns:
        The lines of the table, ending in a line break; best values in bold.

    Example:
        >>> from uae_tf.experiments.report.cells import Cell, Header, TableData
        >>> rows = ((Cell("duplicated"), Cell("5.67", is_best=True)),)
        >>> table = TableData("Arms", (Header("arm"), Header("error", "×1e-3")), rows)
        >>> print(to_markdown(table))
        | arm | error (×1e-3) |
        |:---|---:|
        | duplicated | **5.67** |
    """
    kept = _columns_with_text(table)
    lines = [
        [_escaped(table.headers[i].text) for i in kept],
        *(
            [_bold(_escaped(row[i].text), row[i].is_best) for i in kept]
            for row in table.rows
        ),
    ]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    rule = "|".join(
        ":---" if index == 0 or table.headers[index].is_text else "---:"
        for index in kept
    )
    return "\n".join([drawn[0], f"|{rule}|", *drawn[1:], ""])


def _columns_with_text(table: TableData) -> list[int]:
    return [
        index
        for index in range(len(table.headers))
        if index == 0 or any(row[index].text for row in table.rows)
    ]


def _head(table: TableData, index: int) -> str:
    """Return the head of a column, a word a line."""
    header = table.headers[index]
    return "\n".join([*header.title.split(" "), *header.unit.split(" ")]).strip("\n")


def _width(table: TableData, kept: list[int], is_short: bool) -> int:
    """Return the width of the drawn table: rich pads each column by a blank a side."""
    total = 2
    for index in kept:
        lines = _head(table, index).split("\n")
        cells = [_text(row[index], is_short and index != 1) for row in table.rows]
        total += 3 + max(len(line) for line in [*lines, *cells])
    return total


def _text(cell: Cell, is_short: bool) -> str:
    return cell.brief if is_short else cell.text


def _styled(cell: Cell, is_short: bool) -> Text:
    """Return text with its style: as `Text`, names in [brackets] are not markup."""
    style = "bold" if cell.is_best else _STYLES.get(cell.tone, "")
    return Text(_text(cell, is_short), style=style)


def _escaped(text: str) -> str:
    """Keep a cell in its place: bars and line breaks would end it."""
    for mark in ("\\", "|", "*", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _bold(text: str, is_best: bool) -> str:
    return f"**{text}**" if is_best and text else text
