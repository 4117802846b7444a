"""One page for many experiments: an overview, then tables, verdicts and pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..storage import to_plain, write_atomic
from .arms_table import arms_table
from .embedding import alternative_text, picture, png, rendered
from .html import ordered, verdict_context
from .overview import Entry, command_of, overview_table
from .selection import baselines_table


@dataclasses.dataclass(frozen=True)
class Part:
    """One experiment of a section.

    Args:
        title: its heading.
        results: as in results.json, None where it did not get that far.
        figures: name -> PNG.
        error: why there are no results, empty if there are.
        link: to the experiment's own page, relative to this one.
        data: what a reader must know of the data.
    """

    title: str
    results: Mapping[str, Any] | None
    figures: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    error: str = ""
    link: str = ""
    data: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """The experiments that make one table of a paper.

    Args:
        title: heading.
        source: where the table stands in print.
        about: how the experiments differ from that.
        parts: the experiments.
    """

    title: str
    source: str
    about: str
    parts: Sequence[Part]


def write_summary(
    title: str, sections: Sequence[Section], notes: Sequence[str], path: Path
) -> Path:
    """Write the page; it needs no other file, links apart.

    Args:
        title: of the page.
        sections: in the order of the page.
        notes: what a reader must know of all of it.
        path: the page, e.g. `runs/reproduce-quick/report.html`.

    Returns:
        The path.

    Raises:
        ValueError: a figure is no PNG, or a verdict not of the form of
            `Verdict.to_dict`; nothing is written then.
    """
    entries = [
        Entry(part.title, part.results, part.data)
        for section in sections
        for part in section.parts
        if part.results
    ]
    # All runs of one `reproduce` have the same.
    commands = dict.fromkeys(command_of(entry.results) for entry in entries)
    context = {
        "title": title,
        "notes": notes,
        "commands": [command for command in commands if command],
        "overview": overview_table(entries, False) if entries else None,
        "sections": [
            {
                "title": section.title,
                "source": section.source,
                "about": section.about,
                "parts": [_part(part) for part in section.parts],
            }
            for section in sections
        ],
    }
    return write_atomic(path, rendered("summary.html", context).encode())


def _part(part: Part) -> dict[str, Any]:
    results = to_plain(part.results or {})
    settings = results.get("settings") or {}
    pictures = {
        name: picture(name, png(name, image), alternative_text(image))
        for name, image in part.figures.items()
    }
    return {
        "heading": part.title,
        "error": part.error,
        "link": part.link,
        "data": part.data,
        "is_complete": results.get("complete", True),
        "arms": arms_table(results) if results else None,
        "baselines": baselines_table(results),
        "findings": results.get("findings") or [],
        "run_notes": results.get("notes") or [],
        "figures": ordered(pictures),
        **verdict_context(results, settings),
        "has_verdict": bool(results.get("verdict")),
    }
