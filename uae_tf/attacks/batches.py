"""From what a user passes to checked batches of one fixed shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ..criteria.criterion import check_labels
from ..ops import pad_to


@dataclass(frozen=True)
class Batch:
    """One padded batch.

    Attributes:
        x: ``(size, *shape)`` float32.
        y: ``(size,)`` labels or None.
        sample_ids: ``(size,)`` int64.
        count: how many leading rows are real; the others are padding.
    """

    x: np.ndarray
    y: np.ndarray | None
    sample_ids: np.ndarray
    count: int


NO_BATCHES = "`x` is an empty tf.data.Dataset: it has no batches."

Check = Callable[[np.ndarray, np.ndarray | None, int], None]


def check_samples(
    x: np.ndarray, bounds: tuple[float, float], first_id: int = 0
) -> None:
    """Raises where ``x`` cannot be attacked, and says how to mend it.

    Args:
        x: ``(N, *shape)``.
        bounds: smallest and largest allowed value.
        first_id: index of the first row in the whole data, for the message.
    """
    if x.ndim < 2:
        raise ValueError(
            "`x` must have a batch axis and at least one feature axis. Received: x of "
            f"shape {x.shape}. For one sample pass x[None]; of a tf.data.Dataset of "
            "single samples, dataset.batch(128)."
        )
    if x.size == 0:
        raise ValueError(f"`x` is empty. Received: x of shape {x.shape}")
    if not np.issubdtype(x.dtype, np.floating):
        raise TypeError(
            f"`x` must be floating point. Received: dtype {x.dtype}. Rescale images "
            'to [0, 1] first: x.astype("float32") / 255.'
        )
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        bad = first_id + int(np.argmin(finite))
        raise ValueError(
            f"`x` has NaN or infinite values in {int((~finite).sum())} of {len(x)} "
            f"samples, first in sample {bad}. Remove or repair them."
        )
    # In float32, as attacked: bounds such as 0.1 are not the float32 next to them.
    low, high = np.float32(x.min()), np.float32(x.max())
    if low < np.float32(bounds[0]) or high > np.float32(bounds[1]):
        raise ValueError(
            f"`x` has values outside bounds={bounds}. Received: values from {low:g} to "
            f"{high:g}. Rescale the data (for 8-bit images: x / 255) with a model "
            "trained on the same scale, or pass bounds=(low, high) to the attack."
        )


def check_elements(dataset: tf.data.Dataset) -> None:
    """Raises where a dataset yields anything else than x or (x, y)."""
    spec = dataset.element_spec
    parts = spec if isinstance(spec, tuple) and len(spec) == 2 else (spec,)
    if not all(isinstance(part, tf.TensorSpec) for part in parts):
        raise TypeError(
            "`x` must be a tf.data.Dataset that yields batches of x or of (x, y). "
            f"Received: elements of structure {spec}. Pick them out first, such as "
            'dataset.map(lambda element: element["image"]).'
        )


def checked_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """``(low, high)`` as Python floats; raises where they bound nothing."""
    low, high = bounds
    if not (low < high and np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            "`bounds` must be (low, high) with low < high, both finite. Received: "
            f"{bounds}. Where nothing bounds the data pass its range: "
            "bounds=(x.min(), x.max())."
        )
    return float(low), float(high)


def check_ids(ids: np.ndarray, count: int) -> None:
    """Raises where there is not one integer for each sample."""
    check_labels(ids, count, "sample_ids")
    if ids.dtype.kind not in "iu":
        raise ValueError(
            "`sample_ids` must be integers: the randomness of a sample follows from "
            f"its id. Received: dtype {ids.dtype}"
        )


def batches(
    x: np.ndarray | tf.data.Dataset,
    y: np.ndarray | None,
    sample_ids: np.ndarray | None,
    batch_size: int,
    check: Check,
) -> Iterator[Batch]:
    """Yields padded batches; every row has been seen by ``check`` before.

    An array is checked as a whole before the first batch; a dataset, which is
    streamed, batch by batch.
    """
    if isinstance(x, tf.data.Dataset):
        if y is not None:
            raise ValueError(
                "`y` cannot be passed beside a tf.data.Dataset: let the dataset yield "
                "(x, y), as tf.data.Dataset.zip((x, y)) does."
            )
        yield from _dataset_batches(x, sample_ids, batch_size, check)
        return
    x = np.asarray(x)
    check(x, y, 0)
    ids = np.arange(len(x)) if sample_ids is None else np.asarray(sample_ids)
    check_ids(ids, len(x))
    size = min(batch_size, len(x))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        yield _padded(x[rows], None if y is None else y[rows], ids[rows], size)


def _dataset_batches(
    dataset: tf.data.Dataset,
    sample_ids: np.ndarray | None,
    batch_size: int,
    check: Check,
) -> Iterator[Batch]:
    check_elements(dataset)
    start = 0
    for element in dataset.rebatch(batch_size).as_numpy_iterator():
        x, y = element if isinstance(element, tuple) else (element, None)
        check(x, y, start)
        ids = np.arange(start, start + len(x))
        if sample_ids is not None:
            ids = np.asarray(sample_ids)[start : start + len(x)]
            check_ids(ids, len(x))
        yield _padded(x, y, ids, batch_size if start else max(len(x), 1))
        start += len(x)
    if start == 0:
        raise ValueError(NO_BATCHES)


def _padded(x: np.ndarray, y: np.ndarray | None, ids: np.ndarray, size: int) -> Batch:
    return Batch(
        x=pad_to(np.asarray(x, np.float32), size),
        y=None if y is None else pad_to(np.asarray(y), size),
        sample_ids=pad_to(ids.astype(np.int64), size),
        count=len(x),
    )
