"""Arrays in and out of a plain .npz file, trusting nothing that was read."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays. The same arrays give the same bytes: numpy stores no times."""
    with path.open("xb") as file:
        # Not compressed: the noise of float32 examples leaves little to gain.
        np.savez(file, **arrays)


def read_npz(data: bytes) -> dict[str, np.ndarray]:
    """Reads arrays, as views of ``data``: no more memory is taken than came in.

    Unlike ``numpy.load`` it believes no header: not about how large an array is, nor
    how large a packed member will become.

    Raises:
        ValueError, among others that ``zipfile`` and numpy raise: no such file.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"the member {member.filename!r} is compressed")
            name = member.filename.removesuffix(".npy")
            arrays[name] = _read_npy(archive.read(member))
    return arrays


def _read_npy(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if dtype.hasobject or is_fortran:
        raise ValueError(f"an array of {dtype}, in Fortran order: {is_fortran}")
    if math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError(
            f"an array of {dtype} and shape {shape} in {len(data) - start} bytes"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)
