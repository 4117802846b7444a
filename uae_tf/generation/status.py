"""How far a run has come."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import GenerationError
from .journal import Failure, Record, read_journal
from .manifest import read_manifest
from .plan import Plan

LOCK = ".lock"
_RECENT = 100


@dataclass(frozen=True)
class Status:
    """The state of a run, from its records alone.

    Attributes:
        directory: of the run.
        samples: finished.
        num_samples: in all.
        shards: finished.
        num_shards: in all.
        successes: finished samples that are adversarial examples.
        not_finite: finished samples that a NaN or infinity froze.
        failures: shards that could not be computed, and why.
        seconds_left: at the recent pace; None before the first shard.
        is_running: whether a driver is at work on it.
    """

    directory: Path
    samples: int
    num_samples: int
    shards: int
    num_shards: int
    successes: int
    not_finite: int
    failures: dict[int, str]
    seconds_left: float | None
    is_running: bool

    @property
    def is_complete(self) -> bool:
        """Whether every shard was written."""
        return self.shards == self.num_shards

    @property
    def success_rate(self) -> float:
        """ASR of the finished samples, NaN if there are none."""
        return self.successes / self.samples if self.samples else float("nan")

    def __str__(self) -> str:
        doing = "running" if self.is_running else "stopped"
        lines = [
            f"{self.directory}: {'complete' if self.is_complete else doing}",
            f"samples      {self.samples:,} of {self.num_samples:,} "
            f"({self.samples / self.num_samples:.1%}), shards {self.shards:,} of "
            f"{self.num_shards:,}",
            f"success rate {self.success_rate:.4f}",
            f"not finite   {self.not_finite:,}",
            f"failures     {len(self.failures):,}",
        ]
        lines += [
            f"  shard {shard}: {error}"
            for shard, error in sorted(self.failures.items())[:10]
        ]
        if not self.is_complete and self.seconds_left is not None:
            left = timedelta(seconds=round(self.seconds_left))
            lines.append(f"time left    {left} of computing")
        return "\n".join(lines)


def status(directory: str | os.PathLike[str]) -> Status:
    """Looks at a run, whether it is at work or not.

    Args:
        directory: of the run.

    Returns:
        A `Status`; no shard is opened for it.

    Raises:
        GenerationError: there is no run, or its manifest is damaged.
    """
    directory = Path(directory)
    plan = read_manifest(directory)
    records, failures = read_journal(directory, plan)
    return summarize(
        directory, plan, records.values(), failures.values(), _is_locked(directory)
    )


def summarize(
    directory: Path,
    plan: Plan,
    records: Iterable[Record],
    failures: Iterable[Failure],
    is_running: bool,
) -> Status:
    """The `Status` that follows from records and failures."""
    records = list(records)
    samples = sum(record.samples for record in records)
    left = None
    if records:
        recent = records[-_RECENT:]
        seconds = sum(record.seconds for record in recent)
        pace = seconds / sum(record.samples for record in recent)
        left = pace * (plan.num_samples - samples) / recent[-1].workers
    return Status(
        directory=directory,
        samples=samples,
        num_samples=plan.num_samples,
        shards=len(records),
        num_shards=plan.num_shards,
        successes=sum(record.successes for record in records),
        not_finite=sum(record.not_finite for record in records),
        failures={failure.shard: failure.error for failure in failures},
        seconds_left=left,
        is_running=is_running,
    )


def lock(directory: Path) -> FileLock:
    """The lock of a directory: one driver at a time. It ends with its process.

    Raises:
        GenerationError: another driver has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    held = FileLock(directory / LOCK)
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        raise GenerationError(
            f"Another driver is at work on {str(directory)!r}. Wait for it, or stop it "
            "with SIGTERM; `uae-tf generate --status` shows how far it is."
        ) from error
    return held


def _is_locked(directory: Path) -> bool:
    if not (directory / LOCK).exists():
        return False
    try:
        lock(directory).release()
    except GenerationError:
        return True
    # A run that may be read but not written to.
    except OSError:
        return False
    return False
