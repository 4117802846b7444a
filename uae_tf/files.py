"""Write and read results so that no interruption can spoil them."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that readers see the old content or the new, never a half.

    The bytes go to a hidden temporary file in the same folder, are forced to disk and
    renamed. An exception removes the temporary file; a killed process can leave it
    behind (`.NAME.*.tmp`), which does no harm.

    Args:
        path: the file; its folder is made if missing.
        data: the whole content.

    Returns:
        The path.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name to write to, which becomes `path` when all went well.

    As `write_atomic`, for what only writes to files: the body writes the name it is
    given; afterwards the bytes are forced to disk and the file is renamed.

    Args:
        path: the file; its folder is made if missing.

    Yields:
        The temporary name, in the same folder; nothing exists there yet.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path: str | os.PathLike[str], results: Mapping[str, Any]) -> Path:
    """Write results as strict JSON, atomically.

    Args:
        path: the file, e.g. `runs/digits/results.json`.
        results: nested mappings, sequences, text, numbers, None; also numpy scalars,
            arrays and whatever turns into one (lists), paths and dates (text). NaN and
            infinity, which JSON does not have, become null.

    Returns:
        The path.

    Raises:
        TypeError: something else, or a key that is neither text nor a whole number;
            the message says where. Nothing is written then.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_json(
        ...         folder + "/results.json", {"mean": np.float32(0.5), "std": np.nan}
        ...     )
        ...     read_json(path)
        {'mean': 0.5, 'std': None}
    """
    text = json.dumps(to_plain(results), indent=2, allow_nan=False, ensure_ascii=False)
    return write_atomic(path, (text + "\n").encode())


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Args:
        path: the file.

    Returns:
        The results, with null as None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not JSON, or holds something else than an object.
    """
    path = Path(path)
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a results file ({error}); move it away to start afresh."
        ) from error
    if not isinstance(results, dict):
        raise ValueError(
            f"{path} must hold a JSON object with the results, "
            f"got a {type(results).__name__}; move it away to start afresh."
        )
    return results


def to_plain(value: Any, where: str = "results", keep_non_finite: bool = False) -> Any:
    """Turn numpy and its kin into what JSON has; see `write_json` for the rules.

    Args:
        value: the value, nested at will.
        where: its name, for the error.
        keep_non_finite: True leaves NaN and infinity as they are.

    Returns:
        The same in dict, list, str, int, float, bool and None.

    Raises:
        TypeError: a value or key of a kind that JSON cannot hold.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if keep_non_finite or math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            _key(k, where): to_plain(v, f"{where}.{k}", keep_non_finite)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            to_plain(v, f"{where}[{i}]", keep_non_finite) for i, v in enumerate(value)
        ]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if hasattr(value, "__array__"):
        return to_plain(_listed(np.asarray(value), where), where, keep_non_finite)
    raise TypeError(
        f"{where} is a {type(value).__name__}, which JSON cannot hold: expected "
        "numbers, text, None, arrays, or mappings and sequences of these."
    )


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return str(int(key))
    raise TypeError(
        f"{where} has the key {key!r}: expected text or a whole number as key."
    )


def _listed(array: np.ndarray, where: str) -> Any:
    if array.dtype.kind not in "biufUO":
        raise TypeError(
            f"{where} is an array of {array.dtype}: expected numbers or text."
        )
    if array.dtype.kind == "O" and array.ndim == 0:
        raise TypeError(f"{where} holds an object that JSON cannot hold.")
    return array.tolist()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checksum(path: Path) -> str:
    """sha256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
