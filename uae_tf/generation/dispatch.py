"""Hands shards to workers that may die, wherever they run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from .errors import GenerationError
from .journal import Failure, Record
from .worker import Job, ShardWorker

#: Deaths over one shard after which it, not the machines, is held to be the cause; and
#: deaths of workers in a row before they were ready.
MAX_DEATHS = 3

Outcome = Record | Failure
ShouldStop = Callable[[], bool]


class Died:
    """The answer of a worker that is no more."""


class Member(Protocol):
    """A worker somewhere else. It answers once when started, then once per shard."""

    def submit(self, shard: int) -> None:
        """Gives it a shard."""


class Pool(Protocol):
    """Where workers run.

    Attributes:
        size: how many there may be.
    """

    size: int

    def start(self) -> Member:
        """Starts a worker; it answers None, or a Failure, when it is ready."""
        ...

    def wait(self, members: list[Member]) -> list[tuple[Member, Outcome | Died | None]]:
        """The next answers, at least one."""
        ...

    def close(self) -> None:
        """Ends all workers."""


def in_process(
    job: Job, shards: Iterable[int], should_stop: ShouldStop
) -> Iterator[Outcome]:
    """Computes shards here, one after the other."""
    worker = ShardWorker(job)
    failure = worker.start()
    if failure is not None:
        yield failure
        return
    for shard in shards:
        if should_stop():
            return
        yield worker.attempt(shard)


def dispatch(
    pool: Pool, shards: Iterable[int], should_stop: ShouldStop
) -> Iterator[Outcome]:
    """Computes shards in a pool. What a dead worker had in hand goes to another.

    Args:
        pool: is closed at the end, however it ends.
        shards: numbers, in the order in which they should begin.
        should_stop: asked before a shard is handed out; those begun are finished.

    Yields:
        What became of each shard, in the order in which they end.
    """
    waiting = deque(shards)
    deaths: Counter[int | None] = Counter()
    idle: list[Member] = []
    # Those that owe an answer, and the shard that they work on.
    busy: dict[Member, int | None] = {}
    try:
        for _ in range(min(pool.size, len(waiting))):
            busy[pool.start()] = None
        while (waiting and not should_stop()) or any(
            shard is not None for shard in busy.values()
        ):
            for member, answer in pool.wait(list(busy)):
                shard = busy.pop(member)
                if not isinstance(answer, Died):
                    deaths[None] = 0
                    idle.append(member)
                    if answer is not None:
                        yield answer
                    continue
                deaths[shard] += 1
                if shard is None and deaths[None] > MAX_DEATHS * pool.size:
                    raise GenerationError(
                        f"{deaths[None]} workers in a row died before they were ready. "
                        "Is there memory for the model in each of them? Does the "
                        'script start the run below `if __name__ == "__main__":`? '
                        "Each worker imports it."
                    )
                if shard is not None and deaths[shard] < MAX_DEATHS:
                    waiting.appendleft(shard)
                elif shard is not None:
                    yield Failure(shard, f"{MAX_DEATHS} workers died over this shard.")
                if waiting:
                    busy[pool.start()] = None
            while idle and waiting and not should_stop():
                member, shard = idle.pop(), waiting.popleft()
                member.submit(shard)
                busy[member] = shard
    finally:
        pool.close()
