"""journal.jsonl: one line per finished shard, appended and never rewritten.

A run of a million shards cannot write its whole state after each. A line that is no
record, such as the half that a kill or a full disk left, counts as absent: its shard is
computed again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .plan import Plan

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Record:
    """A shard that was written.

    Attributes:
        shard: its number.
        samples: how many it holds.
        successes: how many of them are adversarial examples.
        not_finite: how many were frozen by a NaN or infinity.
        size: bytes of the file.
        sha256: of the file.
        seconds: computing and writing it took.
        workers: of the run at that time.
    """

    shard: int
    samples: int
    successes: int
    not_finite: int
    size: int
    sha256: str
    seconds: float
    workers: int


@dataclass(frozen=True)
class Failure:
    """A shard that could not be computed.

    Attributes:
        shard: its number; -1 for a worker that could not begin at all.
        error: what happened.
        is_fatal: whether every other shard would fail as well.
    """

    shard: int
    error: str
    is_fatal: bool = False


def append(directory: Path, outcome: Record | Failure) -> None:
    """Adds a line, on disk when this returns."""
    line = json.dumps(asdict(outcome)).encode() + b"\n"
    with (directory / JOURNAL).open("ab+") as file:
        # A half line before it would swallow this one.
        if file.tell() and not _ends_a_line(file):
            line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_journal(
    directory: Path, plan: Plan
) -> tuple[dict[int, Record], dict[int, Failure]]:
    """The last word on every shard: records by number, and failures by number."""
    records: dict[int, Record] = {}
    failures: dict[int, Failure] = {}
    path = directory / JOURNAL
    if not path.exists():
        return records, failures
    with path.open("rb") as file:
        for line in file:
            outcome = _parse(line, plan)
            if isinstance(outcome, Record):
                failures.pop(outcome.shard, None)
                records[outcome.shard] = outcome
            elif outcome is not None and outcome.shard not in records:
                failures[outcome.shard] = outcome
    return records, failures


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _parse(line: bytes, plan: Plan) -> Record | Failure | None:
    if not line.endswith(b"\n"):
        return None
    try:
        fields = json.loads(line)
        outcome = Failure(**fields) if "error" in fields else Record(**fields)
        is_valid = _is_valid(outcome, plan)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None
    return outcome if is_valid else None


def _is_valid(outcome: Record | Failure, plan: Plan) -> bool:
    if type(outcome.shard) is not int or not 0 <= outcome.shard < plan.num_shards:
        return False
    if isinstance(outcome, Failure):
        return isinstance(outcome.error, str)
    count = len(plan.rows(outcome.shard))
    return (
        outcome.samples == count
        and all(
            type(n) is int and 0 <= n <= count
            for n in (outcome.successes, outcome.not_finite)
        )
        and type(outcome.size) is int
        and outcome.size >= 0
        and type(outcome.workers) is int
        and outcome.workers >= 1
        and isinstance(outcome.sha256, str)
        and float(outcome.seconds) >= 0.0
    )
