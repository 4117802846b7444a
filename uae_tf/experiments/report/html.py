"""Write an experiment's results as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..comparison import NO_SEED
from ..storage import to_plain, write_atomic
from ..verdict import Verdict
from .arms import ARMS, Arm, kind_of
from .arms_table import arms_table, rows_with_pending
from .captions import CAPTIONS
from .cells import TableData, tone
from .controls_table import controls_table
from .embedding import Picture, alternative_text, picture, png, rendered
from .numbers import fixed
from .selection import baselines_table

Figures = Mapping[str, Figure | bytes]


def write_report(
    results: Mapping[str, Any], figures: Figures, path: str | os.PathLike[str]
) -> Path:
    """Write report.html, and each figure as a PNG into `figures/` beside it.

    The page needs no other file and asks for nothing from the network. Every file is
    written atomically, the page last, so an interruption leaves the old page or the
    new one. PNGs that an experiment drew for a page before this one are removed.
    Results of an unfinished run are welcome: arms that are missing are shown as
    pending, columns without numbers are left out.

    Args:
        results: the experiment's results, as in results.json.
        figures: name -> matplotlib figure or PNG bytes. "errors" stands below the
            table of arms; "gallery", "convergence" and "histogram" have sections of
            their own in that order; others follow with their name as title.
        path: the page, e.g. `runs/digits/report.html`.

    Returns:
        The path.

    Raises:
        ValueError: a figure's name is not made of letters, digits, "-", "_" and
            ".", its bytes are no PNG, `path` is a folder, or the verdict is not the
            form that `Verdict.to_dict` gives. Nothing is written then.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path must name a file such as {path / 'report.html'}.")
    images = {name: png(name, figure) for name, figure in figures.items()}
    page = _render(results, figures, images)
    folder = path.parent / "figures"
    for name, image in images.items():
        write_atomic(folder / f"{name}.png", image)
    # Of another run's page in this folder, which had pictures that this one lacks.
    stale = CAPTIONS.keys() - images.keys() if path.exists() else ()
    for name in stale:
        (folder / f"{name}.png").unlink(missing_ok=True)
    return write_atomic(path, page.encode())


def render_report(results: Mapping[str, Any], figures: Figures) -> str:
    """Return the page that `write_report` writes, as text.

    Args:
        results: the experiment's results, as in results.json.
        figures: name -> matplotlib figure or PNG bytes.

    Returns:
        A whole HTML document.

    Raises:
        ValueError: as `write_report`.
    """
    images = {name: png(name, figure) for name, figure in figures.items()}
    return _render(results, figures, images)


def _render(
    results: Mapping[str, Any], figures: Figures, images: Mapping[str, bytes]
) -> str:
    pictures = {
        name: picture(name, image, alternative_text(figures[name]))
        for name, image in images.items()
    }
    return rendered("template.html", _context(to_plain(results), pictures))


def _context(
    results: Mapping[str, Any], pictures: Mapping[str, Picture]
) -> dict[str, Any]:
    """Gather what the template shows; it holds no logic beyond loops."""
    settings = results.get("settings") or {}
    rows = rows_with_pending(results)
    return {
        "experiment": results.get("experiment", ""),
        "facts": _facts(settings),
        "findings": results.get("findings"),
        "is_complete": results.get("complete", True),
        **verdict_context(results, settings),
        "arms": arms_table(results),
        "baselines": baselines_table(results),
        "selection": results.get("selection") or {},
        "figures": ordered(pictures),
        "meanings": _meanings(results, rows),
        "teach": _teach(results),
        "notes": results.get("notes") or [],
        "command": results.get("command", ""),
        "lists": [
            ("Settings", _entries(settings)),
            ("Environment", _entries(results.get("environment") or {})),
        ],
    }


def _meanings(
    results: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> list[Arm]:
    """What each arm is: in the experiment's own words if it has some."""
    words = results.get("meanings")
    if words is None:
        return [ARMS[row["arm"]] for row in rows if row.get("arm") in ARMS]
    return [Arm(name, kind_of(name), text) for name, text in words.items()]


def _teach(results: Mapping[str, Any]) -> str:
    """The page's explanations: the experiment's own, else those of the first one."""
    own = f"teach_{results.get('experiment', '')}.html"
    return own if (Path(__file__).parent / own).exists() else "teach.html"


def _candidate(results: Mapping[str, Any]) -> str:
    entries = results.get("verdict")
    return Verdict.from_dict(entries).candidate if entries else "mine_uae"


def verdict_context(
    results: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Gather what a template shows of a verdict, also where there is none yet.

    Args:
        results: the experiment's results.
        settings: of it, for the title.
    """
    entries = results.get("verdict")
    verdict = Verdict.from_dict(entries) if entries else None
    candidate = _candidate(results)
    has_seeds = verdict and any(c.seeds for c in verdict.comparisons)
    unit = str(results.get("error_unit") or "")
    controls = controls_table(verdict, unit) if verdict and has_seeds else None
    return {
        "title": results.get("title") or _title(candidate, settings),
        "candidate": candidate,
        "effect": verdict.effect if verdict else NO_SEED,
        "tone": tone(verdict.effect).replace(" ", "-") if verdict else "undecided",
        "headline": verdict.headline if verdict else _no_verdict(results),
        "details": verdict.details if verdict else (),
        "controls": controls,
        "bar_note": _bar_note(candidate, controls),
    }


def _bar_note(candidate: str, controls: TableData | None) -> str:
    bars = [c.bar for row in controls.rows for c in row if c.bar] if controls else []
    if not bars:
        return ""
    low, high = (f"{fixed(end, 1, signed=True)} %" for end in (-bars[0][3], bars[0][3]))
    return (
        f"Right of the middle line {candidate} is better; the bars run from {low} to "
        f"{high} of the control's error. An interval that crosses the line shows no "
        "effect, and how large an effect could still hide in it."
    )


def _no_verdict(results: Mapping[str, Any]) -> str:
    if results.get("complete"):
        return "No verdict: the arm that it is about was not run. See the table."
    return "No verdict yet."


def _title(candidate: str, settings: Mapping[str, Any]) -> str:
    kind = settings.get("model")
    article = "an" if kind == "adversarial" else "a"
    model = f" {article} {kind} model" if kind else ""
    dataset = f" on {settings['dataset']}" if settings.get("dataset") else ""
    return f"Does {candidate} help{model}{dataset}?"


def _facts(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = ("table", "dataset", "noise", "model", "features", "labels", "samples")
    names += ("epochs", "updates", "seeds")
    facts = []
    for name in names:
        value = settings.get(name)
        if name == "seeds" and isinstance(value, list):
            value = len(value)
        if value is not None:
            facts.append((name, _text(value)))
    return facts


def _entries(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested settings into lines with dotted names."""
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _entries(value, f"{prefix}{name}.")
        else:
            lines.append((f"{prefix}{name}", _text(value)))
    return lines


def _text(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(v) for v in value) or "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def ordered(pictures: Mapping[str, Picture]) -> dict[str, Any]:
    """Order pictures as pages show them: `errors`, and the others as `named`."""
    known = [name for name in CAPTIONS if name in pictures and name != "errors"]
    others = [name for name in pictures if name not in CAPTIONS]
    return {
        "errors": pictures.get("errors"),
        "named": [pictures[name] for name in [*known, *others]],
    }
