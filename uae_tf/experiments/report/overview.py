"""Many experiments in one table: a row for each, its verdict beside its numbers."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..comparison import HELPS, HURTS, NO_EFFECT
from .arms_table import COLUMNS
from .cells import Cell, Header, TableData, tone
from .numbers import (
    PLUS_MINUS,
    Statistic,
    duration,
    exponent_for,
    fixed,
    scale_label,
    statistic,
    to_float,
)

#: What a reader must know of the data of an experiment, where the copy at hand or the
#: split is not the paper's (docs/DECISIONS.md); `Entry.data` says more.
_DATA = {
    "activity": "activity, not the paper's rows",
    "mice_protein": "mice_protein, split by measurement",
}


#: How an effect is told of the strongest control.
_AGAINST = {HELPS: "even against", NO_EFFECT: "beyond", HURTS: "against"}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One experiment of the table.

    Args:
        title: of the row; may hold a link in the syntax of the page.
        results: the experiment's, as in results.json.
        data: what a reader must know of the data; empty for data set and samples.
    """

    title: str
    results: Mapping[str, Any]
    data: str = ""


def overview_table(entries: Iterable[Entry], with_commands: bool = True) -> TableData:
    """Lay out one row per experiment: paper, ours, controls, cost and verdict.

    Args:
        entries: the experiments, in the order of the table.
        with_commands: whether the last column says what repeats each; a page that says
            so elsewhere has the width for the others.

    Returns:
        The table. "ours" is the first arm (the plain training) and the candidate of the
        verdict, as mean ± standard deviation over seeds; "strongest control" the one
        the verdict rests on.
    """
    headers = (
        Header("experiment", "", "", True),
        Header("verdict", "", "Corrected for the number of controls.", True),
        Header("ours", "", "Test error of the plain training and the candidate.", True),
        Header("strongest control", "", "That the verdict rests on.", True),
        Header("paper", "", "What the paper prints, where it has the arm.", True),
        Header("data", "", "Data set, training samples.", True),
        Header("seeds", "", "Repetitions."),
        Header("updates", "", "Of every arm."),
        Header("time", "", "Of all its trainings and attacks together."),
        Header("command", "", "That repeats it.", True),
    )
    columns = len(headers) if with_commands else len(headers) - 1
    return TableData(
        "All experiments",
        headers[:columns],
        tuple(_row(entry)[:columns] for entry in entries),
    )


def command_of(results: Mapping[str, Any]) -> str:
    """The command that repeats an experiment, without the folder it wrote to.

    Nor does it resume: who repeats it begins anew.
    """
    words, kept = iter(shlex.split(str(results.get("command") or ""))), []
    for word in words:
        if word == "--out":
            next(words, None)
        elif word != "--resume" and not word.startswith("--out="):
            kept.append(word)
    return shlex.join(kept)


def data_of(results: Mapping[str, Any]) -> str:
    """Data set and number of training samples, as far as the settings tell."""
    settings = results.get("settings") or {}
    name = str(settings.get("dataset") or "")
    parts = [_DATA.get(name, name)]
    samples, labels = settings.get("samples"), settings.get("labels")
    if samples:
        parts.append(f"{samples:,} samples")
    if labels:
        parts.append(f"{labels:,} labels")
    if settings.get("noise"):
        parts.append(f"noise {settings['noise']}")
    return ", ".join(part for part in parts if part)


def _row(entry: Entry) -> tuple[Cell, ...]:
    results = entry.results
    rows = {str(row["arm"]): row for row in results.get("rows") or ()}
    verdict = results.get("verdict") or {}
    key = str(results.get("primary") or "test_error")
    paper = "paper" if key == "test_error" else f"paper_{key}"
    scale = _scale(results, rows, key)
    # Where nothing is judged every arm may be what was measured.
    ours = [*_plain(rows), verdict["candidate"]] if verdict else list(rows)
    strongest = verdict.get("strongest")
    return (
        Cell(entry.title),
        Cell(_verdict(results), tone=tone(str(verdict.get("effect") or ""))),
        Cell(_arms(rows, ours, key, scale)),
        Cell(_arms(rows, [strongest], key, scale)),
        Cell(_paper(rows, verdict, {paper: scale, "paper_accuracy": (100.0, "%")})),
        Cell(entry.data or data_of(results)),
        Cell(_seeds(results)),
        Cell(_updates(rows)),
        Cell(_time(results)),
        Cell(command_of(results)),
    )


def _plain(rows: Mapping[str, Any]) -> list[str]:
    # Not always the first: an encoder that was not trained at all may stand before it.
    return ["original"] if "original" in rows else list(rows)[:1]


def _scale(
    results: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], key: str
) -> tuple[float, str]:
    """What numbers are multiplied by, and their unit."""
    column = next((c for c in COLUMNS if c.key == key), None)
    if column is None or not column.is_error:
        return (column.factor, column.unit) if column else (1.0, "")
    unit = str(results.get("error_unit") or "")
    if unit:
        return 1.0, unit
    errors = [column.key for column in COLUMNS if column.is_error]
    found = [statistic(row.get(name)) for row in rows.values() for name in errors]
    exponent = exponent_for(s.mean for s in found if s)
    return 10.0**-exponent, scale_label(exponent)


def _paper(
    rows: Mapping[str, Mapping[str, Any]],
    verdict: Mapping[str, Any],
    scales: Mapping[str, tuple[float, str]],
) -> str:
    """The paper's numbers, by the first of these keys that any row has."""
    for key, scale in scales.items():
        text = _arms(rows, _with_paper(rows, verdict, key), key, scale)
        if text:
            return f"accuracy: {text}" if key == "paper_accuracy" else text
    return ""


def _with_paper(
    rows: Mapping[str, Mapping[str, Any]], verdict: Mapping[str, Any], key: str
) -> list[str]:
    """The plain training and the candidate; all arms where the paper lacks that."""
    arms = [arm for arm, row in rows.items() if statistic(row.get(key))]
    candidate = verdict.get("candidate")
    return [arms[0], str(candidate)] if candidate in arms[1:] else arms


def _arms(
    rows: Mapping[str, Mapping[str, Any]],
    arms: Iterable[str | None],
    key: str,
    scale: tuple[float, str],
) -> str:
    factor, unit = scale
    found = {arm: statistic((rows.get(arm or "") or {}).get(key)) for arm in arms}
    texts = [f"{arm} {_number(s, factor)}" for arm, s in found.items() if s]
    return f"{'; '.join(texts)} {unit}".rstrip() if texts else ""


def _number(found: Statistic, factor: float) -> str:
    text = fixed(factor * found.mean, 2)
    if math.isfinite(found.std):
        text += f" {PLUS_MINUS} {fixed(factor * found.std, 2)}"
    return text


def _seeds(results: Mapping[str, Any]) -> str:
    """How many there are, and in how few some arm ended where a run was cut short."""
    wanted = (results.get("settings") or {}).get("seeds")
    if not wanted:
        return ""
    wanted = wanted if isinstance(wanted, int) else len(wanted)
    counts = [len(arm) for arm in (results.get("runs") or {}).values()]
    if not results.get("complete", True) and counts:
        return f"{min(counts)} to {max(counts)} of {wanted}, unfinished"
    return str(wanted)


def _updates(rows: Mapping[str, Mapping[str, Any]]) -> str:
    # All arms of a comparison have as many, but for the literature's short protocol.
    found = [to_float(row.get("updates")) for row in rows.values()]
    finite = [updates for updates in found if math.isfinite(updates)]
    return fixed(max(finite), 0) if finite else ""


def _time(results: Mapping[str, Any]) -> str:
    found = [s for s in _seconds(results.get("runs")) if math.isfinite(s)]
    return duration(math.fsum(found)) if found else ""


def _seconds(runs: Any) -> Iterator[float]:
    """Of everything that was timed, however deep it stands."""
    if isinstance(runs, Mapping):
        if "seconds" in runs:
            yield to_float(runs["seconds"])
        else:
            for entry in runs.values():
                yield from _seconds(entry)


def _verdict(results: Mapping[str, Any]) -> str:
    verdict = results.get("verdict") or {}
    if not verdict:
        findings = results.get("findings") or ["none: no candidate with controls"]
        return str(findings[0])
    effect, strongest = str(verdict["effect"]), verdict.get("strongest")
    words = f"{verdict['candidate']}: {effect}"
    return f"{words} {_AGAINST[effect]} {strongest}" if effect in _AGAINST else words
