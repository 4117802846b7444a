"""Workers as actors of a Ray cluster, or of a Ray of one's own on this machine."""

from __future__ import annotations

import dataclasses
from typing import Any

from .dispatch import Died, Outcome
from .errors import GenerationError
from .worker import Job, ShardWorker


class RayPool:
    """Actors, each with a model of its own: one per GPU, or one per core.

    Ray itself restarts nothing: a shard whose node went away is given to an actor that
    lives, and a new actor begins wherever there is room.

    Args:
        job: the run; every node must see its directory and its source.
        address: "local" for a Ray of one's own, "auto" or an address for a cluster.
        size: number of actors; 0 for as many as there are GPUs, else cores.
        ray_settings: further arguments of ``ray.init``.

    Raises:
        GenerationError: Ray is not installed, or nothing answers at the address.
    """

    def __init__(
        self, job: Job, address: str, size: int = 0, **ray_settings: Any
    ) -> None:
        self._ray = ray = _import_ray()
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            try:
                ray.init(
                    address,
                    include_dashboard=None if address != "local" else False,
                    log_to_driver=False,
                    logging_level="error",
                    **ray_settings,
                )
            except ConnectionError as error:
                raise GenerationError(
                    f"No Ray cluster answers at {address!r}: {error}"
                ) from error
        resources = ray.cluster_resources()
        gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
        self.size = size or gpus or cores
        self._threads = max(1, cores // self.size)
        options = {"num_cpus": self._threads, "num_gpus": 1 if gpus else 0}
        self._actor = ray.remote(max_restarts=0, **options)(ShardWorker)
        # For the time left, which follows from how many share the work.
        self._job = dataclasses.replace(job, workers=self.size)
        self._members: list[_Actor] = []

    def start(self) -> _Actor:
        actor = self._actor.remote(self._job)
        # Ray shows an actor its own GPU only, so that is always number 0.
        member = _Actor(actor, actor.start.remote(self._threads))
        self._members.append(member)
        return member

    def wait(self, members: list[_Actor]) -> list[tuple[_Actor, Outcome | Died | None]]:
        by_answer = {member.answer: member for member in members}
        ready, _ = self._ray.wait(list(by_answer))
        return [(by_answer[answer], self._receive(answer)) for answer in ready]

    def close(self) -> None:
        for member in self._members:
            self._ray.kill(member.actor)
        if self._owns_ray:
            self._ray.shutdown()

    def _receive(self, answer: Any) -> Outcome | Died | None:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayError:
            return Died()


class _Actor:
    def __init__(self, actor: Any, answer: Any) -> None:
        self.actor, self.answer = actor, answer

    def submit(self, shard: int) -> None:
        self.answer = self.actor.attempt.remote(shard)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise GenerationError(
            "Ray is not installed. Run: pip install 'uae-tf[distributed]'"
        ) from error
    return ray
