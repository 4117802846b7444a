"""Write docs/RESULTS.md from the results and texts under docs/results.

    python scripts/make_results.py            # write the page
    python scripts/make_results.py --check    # fail if the page is not what would be

What is where:

- ``docs/results/NAME.json``: what an experiment wrote (its results.json).
- ``docs/results/measured/NAME.json``: a table measured by a benchmark or by hand:
  ``columns`` (title, and a Python format for its numbers), ``rows``, ``commands``.
- ``docs/results/sections/NN-name.md``: the text of a section, a Jinja template, in the
  order of their names. It puts numbers in by calling methods of `Page`, mostly
  ``{{ run("NAME", "Title") }}``. ``head.md`` is the beginning of the page.

An experiment that no section names gets a place at the end, so no file is forgotten.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from uae_tf.experiments.report import (
    Entry,
    arms_table,
    command_of,
    errors_by_arm,
    overview_table,
    to_markdown,
)
from uae_tf.experiments.report.cells import Cell, Header, TableData
from uae_tf.experiments.report.numbers import (
    MINUS,
    PLUS_MINUS,
    fixed,
    scale_label,
    statistic,
)
from uae_tf.experiments.report.style import (
    ADVERSARIAL_COLOUR,
    CONTROL_COLOUR,
    FAINT,
    LABEL,
    SMALL,
    new_figure,
    tidy,
)
from uae_tf.files import read_json

DOCS = Path(__file__).resolve().parents[1] / "docs"


class Page:
    """The sections, and what their templates may call.

    Args:
        folder: with the results, `measured/` and `sections/`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        self._changes: dict[str, Mapping[str, Any]] = {}

    def render(self) -> str:
        """Returns the whole page."""
        templates = Environment(
            loader=FileSystemLoader(self._folder / "sections"),
            undefined=StrictUndefined,
            autoescape=False,  # Markdown, of our own files
            trim_blocks=True,
        )
        calls = {name: getattr(self, name) for name in _CALLS}

        def rendered(name: str) -> str:
            return templates.get_template(name).render(calls).strip("\n")

        names = sorted(p.name for p in (self._folder / "sections").glob("[0-9]*.md"))
        sections = [*map(rendered, names), *self._further()]
        # Last, for its overview of what the sections have named.
        return "\n\n".join([rendered("head.md"), *sections]) + "\n"

    def overview(self) -> str:
        """One row for each experiment of the page."""
        return to_markdown(overview_table(self._entries.values())).strip("\n")

    def run(self, name: str, title: str = "", data: str = "") -> str:
        """An experiment: heading, table of arms, verdict, command and notes.

        Args:
            name: of its file, without ".json".
            title: heading; empty for none (the row of the overview has the name then).
            data: what a reader must know of the data, for the overview.
        """
        results = self._results(name)
        heading = title or name
        place = f"[{heading}](#{anchor(title)})" if title else heading
        self._entries[name] = Entry(place, results, data)
        verdict = results.get("verdict") or {}
        parts = [
            f"### {title}" if title else "",
            to_markdown(arms_table(results)).strip("\n"),
            f"![Test error of every arm and seed](images/results/{name}.png)"
            if verdict
            else "",
            verdict.get("sentence", ""),
            "\n".join(f"- {finding}" for finding in results.get("findings") or ()),
            f"`{command_of(results)}` · [{name}.json](results/{name}.json)",
            "\n".join(f"- {note}" for note in results.get("notes") or ()),
        ]
        return "\n\n".join(part for part in parts if part)

    def mention(self, name: str, title: str = "", section: str = "") -> str:
        """A link to an experiment's file; its row stands in the overview.

        Args:
            name: of its file, without ".json".
            title: of its row.
            section: heading of the section that tells of it.
        """
        place = f"[{title}](#{anchor(section)})" if section else title or name
        self._entries.setdefault(name, Entry(place, self._results(name)))
        return f"[json](results/{name}.json)"

    def measured(self, name: str) -> str:
        """A table of `measured/`, with the commands that repeat it."""
        found = read_json(self._folder / "measured" / f"{name}.json")
        columns = found["columns"]
        formats = [column.get("format", "") for column in columns]
        rows = [
            tuple(
                # null: not measured.
                Cell("" if v is None else format(v, f))
                for v, f in zip(row, formats, strict=True)
            )
            for row in found["rows"]
        ]
        headers = tuple(Header(column["title"]) for column in columns)
        table = to_markdown(TableData(name, headers, tuple(rows))).strip("\n")
        commands = "\n".join(found.get("commands") or ())
        return f"{table}\n\n```\n{commands}\n```" if commands else table

    def changes(self, name: str) -> str:
        """A table of `measured/` whose numbers are changes in %, and its picture."""
        self._changes[name] = read_json(self._folder / "measured" / f"{name}.json")
        picture = f"![Changes of the error by setting](images/results/{name}.png)"
        return f"{picture}\n\n{self.measured(name)}"

    def selection(self, names: Mapping[str, str]) -> str:
        """Feature selection without UAEs on several data sets, beside the paper.

        Args:
            names: of the files -> how to call the data set.
        """
        table = TableData("", _SELECTION_HEADERS, tuple(self._selected(names)))
        return to_markdown(table).strip("\n")

    def baselines(self, names: Mapping[str, str]) -> str:
        """Linear error and accuracy of the methods that need no network."""
        rows, methods = [], []
        for name, title in names.items():
            results = self._results(name)
            found = [_row(results, "original"), *results["baselines"]]
            methods = [row["arm"] for row in found[1:]]
            errors = [_mean(row, "linear_error", 1e3, 2) for row in found]
            accuracies = [_mean(row, "accuracy", 100, 1) for row in found]
            pairs = map(" / ".join, zip(errors, accuracies, strict=True))
            rows.append(tuple(Cell(text) for text in (title, *pairs)))
        headers = tuple(Header(h) for h in ("data set", "concrete", *methods))
        return to_markdown(TableData("", headers, tuple(rows))).strip("\n")

    def _selected(self, names: Mapping[str, str]) -> Sequence[tuple[Cell, ...]]:
        for name, title in names.items():
            results = self._results(name)
            row = _row(results, "original")
            texts = (
                title,
                str(results["settings"]["features"]),
                _mean(row, "test_error", 1e3, 2, spread=True),
                _mean(row, "paper", 1e3, 2),
                _mean(row, "accuracy", 100, 2, spread=True),
                _mean(row, "paper_accuracy", 100, 2),
                _mean(row, "linear_error", 1e3, 2, spread=True),
                _mean(row, "distinct", 1, 1),
                _mean(row, "confidence", 1, 3),
                str(results["settings"]["seeds"]),
                f"{row['updates']:,}",
                self.mention(name, f"{title}, features", "Feature selection"),
            )
            yield tuple(Cell(text) for text in texts)

    def _further(self) -> list[str]:
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        parts = [
            self.run(name, title=name) for name in names if name not in self._entries
        ]
        return ["## Further experiments", *parts] if parts else []

    def change(self, name: str, arm: str, than: str, key: str = "test_error") -> str:
        """How much lower or higher an arm's mean is than another's, in %.

        Args:
            name: of the experiment's file.
            arm: whose number is told.
            than: the arm it is held against.
            key: of the number; "paper" for the paper's.
        """
        rows = self._results(name)["rows"]
        means = {row["arm"]: statistic(row.get(key)) for row in rows}
        ours, theirs = means[arm], means[than]
        if ours is None or theirs is None:
            raise ValueError(f"{name} has no {key!r} for {arm!r} and {than!r}.")
        percent = 100.0 * (ours.mean / theirs.mean - 1.0)
        return f"{fixed(percent, 1, signed=True)} %"

    def draw(self, folder: Path) -> None:
        """Draws errors with a verdict, and changes, where their numbers are new.

        Args:
            folder: of the pictures.
        """
        folder.mkdir(parents=True, exist_ok=True)
        drawings = {
            name: (entry.results, _errors)
            for name, entry in self._entries.items()
            if entry.results.get("verdict")
        } | {name: (table, changes_by_setting) for name, table in self._changes.items()}
        for name, (source, draw) in drawings.items():
            path = folder / f"{name}.png"
            if source_of(path) != fingerprint(source):
                metadata = {"Source": fingerprint(source)}
                draw(source).savefig(path, dpi=_DPI, metadata=metadata)

    def _results(self, name: str) -> dict[str, Any]:
        return read_json(self._folder / f"{name}.json")


_DPI = 80
#: What the templates of the sections may call.
_CALLS = (
    "overview",
    "change",
    "changes",
    "run",
    "mention",
    "measured",
    "selection",
    "baselines",
)
_SELECTION_HEADERS = tuple(
    Header(title)
    for title in (
        "data set",
        "K",
        f"decoder test MSE ({scale_label(-3)})",
        "paper",
        "ExtraTrees (%)",
        "paper",
        f"linear MSE ({scale_label(-3)})",
        "distinct",
        "confidence",
        "seeds",
        "updates",
        "results",
    )
)


def anchor(title: str) -> str:
    """The name that Markdown renderers give to a heading.

    Args:
        title: the heading.

    Returns:
        Lower case, without punctuation, blanks as hyphens.
    """
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.strip().replace(" ", "-")


def fingerprint(results: Mapping[str, Any]) -> str:
    """Of the numbers that the picture of an experiment shows."""
    text = json.dumps(results["rows"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def source_of(picture: Path) -> str | None:
    """The fingerprint a picture was drawn from, None where there is none."""
    if not picture.exists():
        return None
    with Image.open(picture) as image:
        return image.info.get("Source")


def changes_by_setting(table: Mapping[str, Any]) -> Figure:
    """A panel for each column of changes, a line for each setting.

    Args:
        table: of `measured/`: a first column of names, then texts such as "−7.4 ± 0.1".
    """
    names, *texts = zip(*table["rows"], strict=True)
    titles = [column["title"] for column in table["columns"]][1:]
    description = f"{', '.join(titles)}: {len(names)} settings"
    figure = new_figure(10.0, 0.9 + 0.24 * len(names), description)
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    for axes, title, column in zip(panels, titles, texts, strict=True):
        axes.axvline(0.0, color=FAINT, linestyle="--", linewidth=1)
        for place, text in enumerate(column):
            mean, std = map(float, text.replace(MINUS, "-").split(PLUS_MINUS))
            colour, mark = _look(mean, std)
            axes.errorbar(mean, place, xerr=std, fmt=mark, color=colour, markersize=6)
        tidy(axes, "x")
        axes.set_title(title.replace("against ", "against\n"), fontsize=LABEL)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(names)), [name.replace("`", "") for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(
        "change of the error by mine_uae. Blue: lower; orange: higher; grey: within "
        "two standard deviations of no change",
        fontsize=SMALL,
    )
    return figure


def _look(mean: float, std: float) -> tuple[str, str]:
    if abs(mean) <= 2 * std:
        return FAINT, "o"
    return (CONTROL_COLOUR, "<") if mean < 0 else (ADVERSARIAL_COLOUR, ">")


def _errors(results: Mapping[str, Any]) -> Figure:
    unit = results.get("error_unit")
    label = f"test error ({unit})" if unit else "test MSE"
    return errors_by_arm(results["rows"], label=label)


def _row(results: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    return next(row for row in results["rows"] if row["arm"] == arm)


def _mean(
    row: Mapping[str, Any], key: str, factor: float, decimals: int, spread: bool = False
) -> str:
    found = statistic(row.get(key))
    if found is None:
        return ""
    text = fixed(factor * found.mean, decimals)
    return text + f" {PLUS_MINUS} {fixed(factor * found.std, decimals)}" * spread


def main() -> int:
    """Writes the page, or says how it differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args().check
    page, path = Page(DOCS / "results"), DOCS / "RESULTS.md"
    text = page.render()
    if is_check and path.read_text(encoding="utf-8") != text:
        print("docs/RESULTS.md is not what docs/results gives. Run:")
        print("    python scripts/make_results.py")
        return 1
    if not is_check:
        path.write_text(text, encoding="utf-8")
        page.draw(DOCS / "images" / "results")
    return 0


if __name__ == "__main__":
    sys.exit(main())
