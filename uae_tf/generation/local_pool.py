"""Workers as processes of this machine."""

from __future__ import annotations

from multiprocessing.connection import Connection

from ..processes import Child, ready
from .dispatch import Died, Outcome
from .worker import Job, ShardWorker


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
        number = len(self._members)
        member = _Process(_serve, (self._job,), self._threads, number)
        self._members.append(member)
        return member

    def wait(
        self, members: list[_Process]
    ) -> list[tuple[_Process, Outcome | Died | None]]:
        return [(member, member.answer()) for member in ready(members)]

    def close(self) -> None:
        # Whoever is still at work writes a shard whole or not at all.
        Child.end(self._members)


class _Process(Child):
    def submit(self, shard: int) -> None:
        self.send(shard)

    def answer(self) -> Outcome | Died | None:
        try:
            return self.receive()
        except EOFError:
            return Died()


def _serve(pipe: Connection, job: Job) -> None:
    """What a process does: answers until the pipe ends."""
    worker = ShardWorker(job)
    pipe.send(worker.start())
    while True:
        pipe.send(worker.attempt(pipe.recv()))
