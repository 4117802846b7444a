"""Weights in half precision, in files that are small enough to be carried."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ..files import write_atomic

#: Variables of a file that `save_weight_parts` writes, in bytes; or one larger one.
PART_BYTES = 15 * 2**20


def save_weight_parts(
    variables: Sequence[Any],
    folder: str | os.PathLike[str],
    name: str = "weights",
    dtype: str = "float16",
) -> list[Path]:
    """Write variables to `NAME-0.npz`, `NAME-1.npz` ..., each below 16 MiB.

    Only a file with a single variable that is larger itself is larger. Matrices and
    kernels in float32 are rounded to half precision; vectors (scales, shifts and moving
    statistics) and other types are kept as they are. Made to carry an encoder
    from the machine it was trained on, whatever its Keras backend, to another.

    Args:
        variables: Keras variables, such as `model.weights`.
        folder: Made if missing.
        name: First part of the files' names.
        dtype: `"float16"`, three digits and for weights the better one; or
            `"bfloat16"`, two digits and float32's range, for the state of an optimizer.

    Returns:
        The files. A save that is killed between them leaves a mixture of two, which
        `load_weight_parts` refuses.

    Raises:
        ValueError: Unknown `dtype`, or a kernel that is to be `float16` holds NaN or
            infinity.
        OverflowError: A kernel holds a number that `float16` cannot.

    Example:
        >>> import tempfile
        >>> from uae_tf.models import ResNet18
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     parts = save_weight_parts(ResNet18(width=2).weights, folder)
        ...     load_weight_parts(ResNet18(width=2).weights, folder)
        ...     [part.name for part in parts]
        ['weights-0.npz']
    """
    if dtype not in ("float16", "bfloat16"):
        raise ValueError(
            f"dtype must be 'float16' or 'bfloat16'. Received: dtype={dtype!r}."
        )
    parts: list[dict[str, np.ndarray]] = [{}]
    # An .npz file does not know bfloat16: it is stored as bits.
    bits: list[int] = []
    size = 0
    for index, variable in enumerate(variables):
        array = _shortened(variable, dtype)
        if array.dtype == ml_dtypes.bfloat16:
            bits.append(index)
            array = array.view(np.uint16)
        if size and size + array.nbytes > PART_BYTES:
            parts.append({})
            size = 0
        parts[-1][f"{index:04d}"] = array
        size += array.nbytes
    shapes = [list(variable.shape) for variable in variables]
    header = {"dtype": dtype, "parts": len(parts), "shapes": shapes, "bits": bits}
    parts[0]["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    save = _digest(parts)
    return [
        _write(Path(folder) / f"{name}-{number}.npz", {**part, "save": save})
        for number, part in enumerate(parts)
    ]


def load_weight_parts(
    variables: Sequence[Any],
    folder: str | os.PathLike[str],
    name: str = "weights",
) -> None:
    """Set variables to what `save_weight_parts` wrote, on any Keras backend.

    Args:
        variables: Variables of a model built as the saved one was, in the same order.
        folder: Where the parts are.
        name: First part of their names.

    Raises:
        FileNotFoundError: A part is missing.
        ValueError: The variables are not as many or not shaped as the saved ones, or
            the parts are of different saves. Nothing is set then.
    """
    folder = Path(folder)
    arrays = _read(folder / f"{name}-0.npz")
    header = json.loads(arrays.pop("header").tobytes())
    save = arrays.pop("save", None)
    for number in range(1, header["parts"]):
        part = _read(folder / f"{name}-{number}.npz")
        if not np.array_equal(part.pop("save", None), save):
            raise ValueError(
                f"{name}-{number}.npz and {name}-0.npz in {folder} are of different "
                "saves, one of which was interrupted. Save again, or take another copy."
            )
        arrays |= part
    shapes = [list(variable.shape) for variable in variables]
    if shapes != header["shapes"]:
        different = [
            (mine, theirs)
            for mine, theirs in zip(shapes, header["shapes"], strict=False)
            if mine != theirs
        ]
        raise ValueError(
            f"The weights in {folder} are those of another model: "
            f"{len(header['shapes'])} variables saved, {len(shapes)} here; first "
            f"difference of shapes (here, saved): {(*different, None)[0]}."
        )
    for index, variable in enumerate(variables):
        array = arrays[f"{index:04d}"]
        # Older files do not say which are bits: all that may be.
        is_older = "bits" not in header and header["dtype"] == "bfloat16"
        is_bits = is_older and array.dtype == np.uint16
        variable.assign(_restored(array, is_bits or index in header.get("bits", ())))


def _shortened(variable: Any, dtype: str) -> np.ndarray:
    array = np.asarray(variable.numpy())
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    if dtype == "bfloat16":
        return array.astype(ml_dtypes.bfloat16)
    if not np.isfinite(array).all():
        raise ValueError(
            f"{variable.path} holds NaN or infinity, as after a training that diverged."
        )
    with np.errstate(over="ignore"):
        short = array.astype(np.float16)
    if not np.isfinite(short).all():
        raise OverflowError(
            f"{variable.path} holds numbers that float16 cannot: up to "
            f"{np.abs(array).max():.3g}. Save it with dtype='bfloat16'."
        )
    return short


def _restored(array: np.ndarray, is_bits: bool) -> np.ndarray:
    array = array.view(ml_dtypes.bfloat16) if is_bits else array
    is_half = array.dtype in (np.float16, ml_dtypes.bfloat16)
    return array.astype(np.float32) if is_half else array


def _digest(parts: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
    """What all parts of one save have in common; no random number, to be repeatable."""
    digest = hashlib.sha256()
    for part in parts:
        for array in part.values():
            digest.update(array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return write_atomic(path, buffer.getvalue())


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)
