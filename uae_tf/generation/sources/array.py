"""Arrays: in memory, in .npz files, and memory-mapped from .npy files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..errors import GenerationError
from .source import Rows, Source, check_count, hash_files


class ArraySource(Source):
    """Samples in memory.

    Args:
        x: ``(N, *shape)``.
        y: ``(N,)`` labels, or None.
        name: for messages and the manifest.
    """

    def __init__(
        self, x: np.ndarray, y: np.ndarray | None = None, name: str = "array"
    ) -> None:
        self.x, self.y, self.name = np.asarray(x), y, name
        self.count = check_count(name, len(self.x))

    @classmethod
    def from_npz(cls, path: Path) -> ArraySource:
        """The array ``x`` (or the only one) of an .npz file, and ``y`` if it is there.

        Zip members cannot be mapped: the array is read whole, once in each process.
        """
        # Opened here, because numpy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            key = "x" if "x" in arrays else arrays.files[0] if arrays.files else ""
            if key != "x" and len(arrays.files) != 1:
                raise GenerationError(
                    f"{path} must hold an array called 'x', or one array only. "
                    f"Received the arrays {arrays.files}"
                )
            y = arrays.get("y")
            return cls(arrays[key], y, str(path))

    def read(self, start: int, stop: int) -> Rows:
        return self.x[start:stop], None if self.y is None else self.y[start:stop]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.x.shape, self.x.dtype.str)).encode())
        for array in (self.x, self.y):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class NpySource(Source):
    """Samples of an .npy file, which is never read whole.

    Args:
        path: the file: one array ``(N, *shape)``.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.count = check_count(self.name, len(np.atleast_1d(self._map())))

    def read(self, start: int, stop: int) -> Rows:
        # Mapped anew each time: pages that were read count as this process's memory
        # for as long as the map lives.
        return np.array(self._map()[start:stop]), None

    def fingerprint(self) -> str:
        return hash_files([self.path])

    def _map(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)
