"""Checks and casts of the arrays a training run is given."""

from typing import Any

import keras
import numpy as np


def as_samples(name: str, values: Any) -> np.ndarray:
    """Returns `values` as a finite float array `(N, *shape)` with `N >= 1`.

    Args:
        name: the argument's name, for the error message.
        values: array-like of numbers. Integers and other float widths are cast to
            `keras.config.floatx()`, as `fit` casts them.

    Raises:
        TypeError: `values` does not hold numbers.
        ValueError: no sample, no sample axis, or a NaN or infinite value.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"`{name}` must hold numbers. Received dtype {array.dtype}. Convert it "
            f"first, for example with `{name}.astype('float32')`."
        )
    _check_rows(name, array)
    array = np.ascontiguousarray(array, dtype=keras.config.floatx())
    _check_finite(name, array)
    return array


def as_targets(name: str, values: Any, num_samples: int) -> np.ndarray:
    """Returns `values` as an array with one row for each of `num_samples` samples.

    Floats are cast to `keras.config.floatx()`; class numbers keep their dtype.

    Raises:
        ValueError: another number of rows, or a NaN or infinite value.
    """
    array = np.asarray(values)
    _check_rows(name, array)
    if len(array) != num_samples:
        raise ValueError(
            f"`{name}` must have one row per sample: expected {num_samples} rows, as "
            f"`x` has. Received shape {array.shape}."
        )
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx(), copy=False)
        _check_finite(name, array)
    return np.ascontiguousarray(array)


def as_weights(values: Any, num_samples: int) -> np.ndarray:
    """Returns sample weights as a finite float array `(num_samples,)`.

    Raises:
        ValueError: another shape, or a NaN, infinite or negative weight.
    """
    weights = as_samples("sample_weight", values)
    if weights.shape != (num_samples,):
        raise ValueError(
            "`sample_weight` must have one number per sample: expected shape "
            f"({num_samples},). Received shape {weights.shape}."
        )
    if weights.min() < 0:
        raise ValueError(
            "`sample_weight` must not be negative. Received a weight of "
            f"{weights.min()} at sample {int(weights.argmin())}."
        )
    return weights


def as_indices(indices: Any, num_samples: int) -> np.ndarray:
    """Returns `indices` as an int64 vector of sample numbers; None means all.

    Raises:
        ValueError: no vector of whole numbers, or one outside `[0, num_samples)`.
    """
    if indices is None:
        return np.arange(num_samples)
    rows = np.asarray(indices)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(
            "`indices` must be a vector of whole numbers. Received shape "
            f"{rows.shape}, dtype {rows.dtype}."
        )
    if rows.size and not 0 <= rows.min() <= rows.max() < num_samples:
        raise ValueError(
            f"`indices` must lie in [0, {num_samples}). Received values from "
            f"{rows.min()} to {rows.max()}."
        )
    return rows.astype(np.int64)


def check_count(name: str, value: Any, minimum: int = 1) -> int:
    """Returns `value` as an int, refusing anything but a whole number >= `minimum`.

    Raises:
        ValueError: a fraction, another type, or a number below `minimum`.
    """
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_whole or value < minimum:
        raise ValueError(
            f"`{name}` must be a whole number of at least {minimum}. "
            f"Received {value!r}."
        )
    return int(value)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns `value` if it is one of `choices`.

    Raises:
        ValueError: it is not.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received {value!r}.")
    return value


def _check_rows(name: str, array: np.ndarray) -> None:
    if array.ndim == 0 or array.size == 0:
        raise ValueError(
            f"`{name}` must be an array with a leading sample axis and at least one "
            f"sample. Received shape {array.shape}."
        )


def _check_finite(name: str, array: np.ndarray) -> None:
    # One number tells for all: a sum is finite only if every part is, or it overflows.
    if np.isfinite(np.sum(array, dtype=np.float64)):
        return
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"`{name}` must hold finite numbers. Received NaN or infinity in "
            f"{int(bad.sum())} of {len(array)} samples, first at sample "
            f"{int(bad.argmax())}. Remove or impute those samples."
        )
