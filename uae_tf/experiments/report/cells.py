"""A table as plain data, to be drawn by `render.py` and by the page alike."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Args:
        text: the text, empty where there is nothing to say.
        short: its beginning, for where space is short; the whole text if empty.
        is_best: whether to set it in bold.
        tone: "helps", "hurts", "no effect", "undecided", "pending", "failed" or "".
        bar: (low, middle, high, limit) of an interval to draw, in %, or None.
    """

    text: str
    short: str = ""
    is_best: bool = False
    tone: str = ""
    bar: tuple[float, float, float, float] | None = None

    @property
    def brief(self) -> str:
        """The short text, or the whole where there is none."""
        return self.short or self.text

    @property
    def rest(self) -> str:
        """What follows the short text."""
        return self.text[len(self.short) :] if self.short else ""


@dataclasses.dataclass(frozen=True)
class Header:
    """The head of a column.

    Args:
        title: what stands there.
        unit: unit or scale, in brackets behind it.
        meaning: one sentence for the reader.
        is_text: whether the column holds words, which begin at the left.
    """

    title: str
    unit: str = ""
    meaning: str = ""
    is_text: bool = False

    @property
    def text(self) -> str:
        """Title and unit in one line."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclasses.dataclass(frozen=True)
class TableData:
    """A table, ready to be drawn: the first cell of a row is the row's header."""

    caption: str
    headers: tuple[Header, ...]
    rows: tuple[tuple[Cell, ...], ...]


def tone(effect: str) -> str:
    """Return the colour class of an effect: its part before a colon."""
    return effect.partition(":")[0]
