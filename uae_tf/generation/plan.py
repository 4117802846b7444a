"""What a run will compute: fixed when it begins, the same whenever it goes on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from ..files import to_plain
from .errors import GenerationError

#: Ids of samples become seeds of 31 bits; beyond this two samples would share theirs.
MAX_SAMPLES = 2**31
SINKS = ("npz", "tfrecord")


@dataclass(frozen=True)
class Plan:
    """Everything the bytes of the shards follow from.

    Attributes:
        attack: ``{"class": registered name, "config": attack.get_config()}``.
        model: ``{"class": name, "weights": sha256}``, or None for an attack without.
        source: ``{"samples": N, "shape": of a sample, "dtype": name, "fingerprint":
            sha256}``; not its path, so that data may move between two starts.
        shard_size: samples per shard; the last one holds the rest.
        batch_size: samples per compiled call.
        sink: "npz" or "tfrecord".
        versions: of the packages that compute; others may round otherwise.
    """

    attack: dict[str, Any]
    model: dict[str, str] | None
    source: dict[str, Any]
    shard_size: int
    batch_size: int
    sink: str
    versions: dict[str, str | None]

    def __post_init__(self) -> None:
        for name in ("shard_size", "batch_size"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MAX_SAMPLES:
                raise GenerationError(
                    f"`{name}` must be a whole number, at least 1. Received: {value!r}"
                )
        if self.sink not in SINKS:
            raise GenerationError(
                f"`sink` must be one of {SINKS}. Received: sink={self.sink!r}"
            )
        samples = self.source["samples"]
        if type(samples) is not int or not 1 <= samples < MAX_SAMPLES:
            raise GenerationError(
                f"A source must hold between 1 and {MAX_SAMPLES - 1:,} samples. "
                f"Received: {samples!r}"
            )
        shape = self.source["shape"]
        if not shape or not all(type(n) is int and n >= 1 for n in shape):
            raise GenerationError(
                "Samples must have at least one axis, and none of length 0. "
                f"Received: samples of shape {shape!r}"
            )

    @property
    def num_samples(self) -> int:
        """N, of the whole run."""
        return self.source["samples"]

    @property
    def num_shards(self) -> int:
        """How many shards hold the N samples."""
        return -(-self.num_samples // self.shard_size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.source["shape"])

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value of an example."""
        low, high = self.attack["config"]["bounds"]
        return float(low), float(high)

    @property
    def run(self) -> str:
        """sha256 of all settings; every shard carries it."""
        text = json.dumps(self.settings(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def rows(self, shard: int) -> range:
        """Ids of the samples of one shard: their positions in the source."""
        start = shard * self.shard_size
        return range(start, min(start + self.shard_size, self.num_samples))

    def shard_name(self, shard: int) -> str:
        """File name of a shard. It follows from the number; no file names another."""
        return f"shard-{shard:07d}.{self.sink}"

    def settings(self) -> dict[str, Any]:
        """The attributes as JSON has them."""
        return to_plain(asdict(self), "settings")
