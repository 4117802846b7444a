"""Progress of an experiment on a terminal: all jobs, and the one that runs now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from .report.numbers import duration

#: A log hears of a step that goes on no more often than this.
_SECONDS_BETWEEN_LINES = 60.0


class Steps(Protocol):
    """Where the steps of the job that runs now are shown."""

    def start(self, description: str) -> None:
        """A step of the current job begins."""

    def update(self, done: int, total: int | None) -> None:
        """So much of the current step is done."""


class JobProgress:
    """Bars with the time left; in a log, lines instead.

    One bar is that of all jobs, and one is there for each that runs now. A log has a
    line for every job that is done, and one every minute of a step that goes on. A
    notebook shows neither: its output is kept with it.

    Args:
        num_jobs: jobs in all.
        console: where to draw.
        lanes: jobs that run side by side.
    """

    def __init__(self, num_jobs: int, console: Console, lanes: int = 1) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            get_time=time.monotonic,
        )
        self._console = console
        self._is_log = not (console.is_terminal or console.is_jupyter)
        self._all = self._bars.add_task("all jobs", total=num_jobs, ends=0.0)
        self._jobs = [
            self._bars.add_task("", total=None, visible=False) for _ in range(lanes)
        ]
        self._finished = [0.0] * lanes
        self._told = [0.0] * lanes
        self._worked: list[float] = []

    def __enter__(self) -> JobProgress:
        # It may have been made before another run, whose time is none of its own.
        self._bars.reset(self._all)
        self._finished = [time.monotonic()] * len(self._jobs)
        self._told = list(self._finished)
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, description: str, lane: int = 0) -> None:
        """A step of a lane's current job begins."""
        job = self._jobs[lane]
        self._bars.reset(job, description=description, visible=True)
        # To rich, None is to keep the last step's.
        self._bars.tasks[job].total = None

    def update(self, done: int, total: int | None, lane: int = 0) -> None:
        """So much of a lane's current step is done."""
        self._bars.update(self._jobs[lane], completed=done, total=total)
        now = time.monotonic()
        if self._is_log and now - self._told[lane] >= _SECONDS_BETWEEN_LINES:
            self._print(self._step_line(lane), lane)

    @contextmanager
    def inside(self, description: str) -> Iterator[Callable[[int, int | None], None]]:
        """A step within the current one, which goes on afterwards.

        Yields:
            What its progress is told to, as ``(done, total)``.
        """
        outer = self._bars.tasks[self._jobs[0]].description
        self.start(description)
        try:
            yield self.update
        finally:
            self.start(outer)

    def skip_jobs(self, number: int) -> None:
        """So many more are done already: by a former run, or as another job.

        Call it where no lane is at a job: the next ones begin now.
        """
        self._finished = [time.monotonic()] * len(self._jobs)
        if number:
            self._bars.advance(self._all, number)
            self._expect_end()
            jobs = self._bars.tasks[self._all]
            if self._is_log:
                self._print(
                    f"{jobs.completed:.0f} of {jobs.total:.0f} jobs done already", 0
                )

    def finish_job(self, lane: int = 0) -> None:
        """One more of all jobs is done."""
        now = time.monotonic()
        seconds, self._finished[lane] = now - self._finished[lane], now
        self._worked.append(seconds)
        self._bars.advance(self._all)
        self._expect_end()
        if self._is_log:
            self._print(self._job_line(lane), lane)

    def _expect_end(self) -> None:
        """Says when all jobs will be done, once there is one to judge by."""
        if self._worked:
            jobs = self._bars.tasks[self._all]
            # Of all jobs: rich looks back half a minute, which most jobs outlast.
            mean = sum(self._worked) / len(self._worked)
            left = mean * jobs.remaining / len(self._jobs)
            self._bars.update(self._all, ends=time.monotonic() + left)

    def _print(self, line: str, lane: int) -> None:
        """A line about a lane, which then has none for a minute."""
        self._told[lane] = time.monotonic()
        self._console.print(line, highlight=False, soft_wrap=True)

    def _step_line(self, lane: int) -> str:
        step = self._bars.tasks[self._jobs[lane]]
        line = f"{step.description}: {step.completed:,.0f}"
        if step.total is not None:
            line += f" of {step.total:,.0f}"
            if step.completed and step.remaining:
                # Of the whole step: rich looks back half a minute, which one report
                # of an attack may outlast.
                left = (step.elapsed or 0.0) * step.remaining / step.completed
                line += f", about {duration(left)} left"
        return line

    def _job_line(self, lane: int) -> str:
        jobs, job = (self._bars.tasks[i] for i in (self._all, self._jobs[lane]))
        line = f"{jobs.completed:.0f} of {jobs.total:.0f} jobs done"
        if job.description:
            line += f" ({job.description})"
        line += f" after {duration(jobs.elapsed or 0.0)}"
        if jobs.remaining and _seconds_left(jobs):
            line += f", about {duration(_seconds_left(jobs))} left"
        return line


def _seconds_left(task: Task) -> float:
    """Of all jobs until their expected end, of one as rich has it; 0 if not known."""
    if "ends" in task.fields:
        return max(task.fields["ends"] - time.monotonic(), 0.0)
    return task.time_remaining or 0.0


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        seconds = 0.0 if task.finished else _seconds_left(task)
        text = f"{duration(seconds)} left" if seconds else ""
        return Text(text, style="progress.remaining")
