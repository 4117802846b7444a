"""Tasks of an experiment, worked at by several processes side by side."""

from __future__ import annotations

import pickle
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from ..processes import Child, ready, threads_each
from .progress import JobProgress, Steps

#: What works at a task, and yields each thing found as soon as it is.
Work = Callable[[Any], Iterator[Any]]
#: Makes it, in the process that it is to work in.
MakeWork = Callable[[Steps], Work]

_READY, _STARTS, _UPDATE, _FOUND, _FAILED = range(5)
#: Progress is sent no more often than this.
_SECONDS = 0.1


def side_by_side(
    make_work: MakeWork, tasks: Iterable[Any], workers: int, progress: JobProgress
) -> Iterator[tuple[int, Any]]:
    """Yields what processes find in tasks, in the order in which they find it.

    Close it where it is not read to the end, and the processes end at once.

    Args:
        make_work: called in each process, with what shows its steps; picklable.
        tasks: picklable; each is worked at by one process, in this order.
        workers: processes at the most, of which each has its share of the cores.
        progress: shows their steps, a lane each.

    Yields:
        ``(lane, found)``: which process it was, from 0, and what it found.

    Raises:
        ChildProcessError: a process died.
        Exception: what a process raised; its traceback is a note.
    """
    waiting = deque(tasks)
    number = min(workers, len(waiting))
    lanes: dict[Child, int] = {}
    try:
        for lane in range(number):
            lanes[Child(_serve, (make_work,), threads_each(number), lane)] = lane
        working = list(lanes)
        while working:
            for child in ready(working):
                kind, *values = _receive(child)
                if kind == _FOUND:
                    yield lanes[child], values[0]
                elif kind == _STARTS:
                    progress.start(values[0], lanes[child])
                elif kind == _UPDATE:
                    progress.update(*values, lanes[child])
                elif kind == _FAILED:
                    raise values[0]
                elif waiting:
                    child.send(waiting.popleft())
                else:
                    working.remove(child)
    finally:
        Child.end(list(lanes))


def _receive(child: Child) -> tuple[Any, ...]:
    try:
        return child.receive()
    except EOFError:
        raise ChildProcessError(
            f"A worker died (exit code {child.exit_code()}); -9 is what a lack of "
            "memory looks like. The jobs that were done are kept: run the same command "
            "again, with --resume (reproduce goes on by itself), and with fewer "
            "workers if memory was short."
        ) from None


class _SentSteps:
    """Tells the parent what a worker is at."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sent = 0.0

    def start(self, description: str) -> None:
        self._pipe.send((_STARTS, description))

    def update(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._sent >= _SECONDS:
            self._sent = now
            self._pipe.send((_UPDATE, done, total))


def _serve(pipe: Connection, make_work: MakeWork) -> None:
    """What a worker does until the pipe ends."""
    try:
        work = make_work(_SentSteps(pipe))
        while True:
            pipe.send((_READY,))
            for found in work(pipe.recv()):
                pipe.send((_FOUND, found))
    except Exception as error:
        # If it is the pipe's end, this ends the process.
        pipe.send((_FAILED, _sendable(error)))


def _sendable(error: Exception) -> Exception:
    """The error with its traceback as a note; of a plain kind if it is special."""
    told = error
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        told = RuntimeError(f"{type(error).__name__}: {error}")
    told.add_note("".join(["In a worker:\n", *traceback.format_exception(error)]))
    return told
