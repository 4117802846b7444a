"""Arrays of a run that are kept between its interruptions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .storage import write_atomic


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes an ``.npz`` file, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return write_atomic(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads what :func:`write_arrays` wrote. Never unpickles.

    Raises:
        ValueError: not such a file.
    """
    try:
        # From memory: NumPy leaves a file open that is damaged.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged ({error}). Remove it: weights and numbers are made "
            "anew then, but pictures of jobs that are done are left out."
        ) from error
