"""Progress of an experiment on a terminal: all jobs, and the one that runs now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class JobProgress:
    """Two bars with the time left; nothing at all where there is no terminal.

    Args:
        num_jobs: jobs in all.
        console: where to draw.
    """

    def __init__(self, num_jobs: int, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._all = self._bars.add_task("all jobs", total=num_jobs)
        self._job = self._bars.add_task("", total=None)

    def __enter__(self) -> JobProgress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, description: str) -> None:
        """A step of the current job begins."""
        self._bars.reset(self._job, description=description, total=None)

    def update(self, done: int, total: int | None) -> None:
        """So much of the current step is done."""
        self._bars.update(self._job, completed=done, total=total)

    @contextmanager
    def inside(self, description: str) -> Iterator[Callable[[int, int | None], None]]:
        """A step within the current one, which goes on afterwards.

        Yields:
            What its progress is told to, as ``(done, total)``.
        """
        outer = self._bars.tasks[self._job].description
        self.start(description)
        try:
            yield self.update
        finally:
            self.start(outer)

    def finish_job(self) -> None:
        """One more of all jobs is done."""
        self._bars.advance(self._all)
