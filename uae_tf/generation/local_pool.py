"""Workers as processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection, wait

from .dispatch import Died, Outcome
from .worker import Job, ShardWorker

# Not "fork": TensorFlow's threads do not survive it.
_CONTEXT = multiprocessing.get_context("spawn")


class LocalPool:
    """Processes, each with a model of its own and its share of the cores.

    Args:
        job: the run.
        size: number of processes.
        threads: of each.
    """

    def __init__(self, job: Job, size: int, threads: int) -> None:
        self.size = size
        self._job, self._threads = job, threads
        self._members: list[_Process] = []

    def start(self) -> _Process:
        member = _Process(self._job, self._threads, number=len(self._members))
        self._members.append(member)
        return member

    def wait(
        self, members: list[_Process]
    ) -> list[tuple[_Process, Outcome | Died | None]]:
        by_pipe = {member.pipe: member for member in members}
        ready = wait(list(by_pipe))
        return [(by_pipe[pipe], _receive(pipe)) for pipe in ready]

    def close(self) -> None:
        # Whoever is still at work writes a shard whole or not at all.
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join()
            member.pipe.close()


class _Process:
    def __init__(self, job: Job, threads: int, number: int) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(
            target=_serve, args=(theirs, job, threads, number), daemon=True
        )
        self.process.start()
        # Or the pipe would stay open when the process dies.
        theirs.close()

    def submit(self, shard: int) -> None:
        # A process that died meanwhile is noticed by `wait`.
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(shard)


def _receive(pipe: Connection) -> Outcome | Died | None:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return Died()


def _serve(pipe: Connection, job: Job, threads: int, number: int) -> None:
    """What a process does: answers until the pipe ends, as it does with the driver."""
    # Sent to a whole group, by a terminal or a batch system. The driver decides.
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, signal.SIG_IGN)
    worker = ShardWorker(job)
    with contextlib.suppress(EOFError, OSError):
        pipe.send(worker.start(threads, number))
        while True:
            pipe.send(worker.attempt(pipe.recv()))
