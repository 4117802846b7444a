"""The interface of all sources, and how files are told from each other."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from ..errors import GenerationError

Rows = tuple[np.ndarray, np.ndarray | None]

#: Data up to here is hashed whole: a second or two. Of larger data, this much.
HASHED_BYTES = 1 << 30
_BLOCK = 1 << 20


class Source:
    """Samples by position, read a range at a time.

    Attributes:
        name: how the user named it.
        count: N, samples in all.
    """

    name: str
    count: int

    def read(self, start: int, stop: int) -> Rows:
        """Samples ``(stop - start, *shape)`` and their labels, or None.

        Only these are in memory. Values are as stored: floating point, or 8 bits.
        """
        raise NotImplementedError(f"{type(self).__name__} must override `read`.")

    def fingerprint(self) -> str:
        """sha256 of the content (see `HASHED_BYTES`), not of its place or date."""
        raise NotImplementedError(f"{type(self).__name__} must override `fingerprint`.")


def hash_files(paths: Sequence[Path], limit: int = HASHED_BYTES) -> str:
    """Hashes files: sizes, and all bytes or evenly spaced blocks of them.

    Args:
        paths: in the order that matters.
        limit: bytes to read at most; data beyond it is sampled, so that a change of a
            few bytes somewhere in a terabyte can pass unseen.
    """
    sizes = [path.stat().st_size for path in paths]
    digest = hashlib.sha256(repr(sizes).encode())
    if sum(sizes) <= limit:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest()
    ends = list(accumulate(sizes))
    for position in range(0, ends[-1], -(-ends[-1] * _BLOCK // limit)):
        number = bisect.bisect_right(ends, position)
        with paths[number].open("rb") as file:
            file.seek(position - (ends[number] - sizes[number]))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def check_count(name: str, count: int) -> int:
    """The count, if there is anything to attack."""
    if count < 1:
        raise GenerationError(f"The source {name!r} holds no samples.")
    return count
