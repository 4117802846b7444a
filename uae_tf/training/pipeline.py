"""An input pipeline that holds its arrays in the graph and counts its batches."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ..datasets.pipelines import untuned
from .epochs import EpochDataset

#: Batches gathered at once, and made ahead of the training step. A gather is short.
_THREADS, _AHEAD = 2, 4


def counted_batches(
    arrays: tuple[np.ndarray, ...],
    batch_size: int,
    num_batches: int,
    seed: int,
    first: tf.Variable,
) -> tf.data.Dataset:
    """Returns batches `first` to `num_batches` of as many shuffled passes as it takes.

    Each pass visits every row once; its last batch may be smaller, as in `fit`. No
    Python runs per batch: indices and gathers are graph operations.

    Args:
        arrays: each with the same number of rows, `(N, ...)`.
        batch_size: rows per batch.
        num_batches: how many batches there are in all; the last pass may be cut.
        seed: of the order. Pass `e` depends on `(seed, e)` only.
        first: int64 scalar, read when an iteration starts: 0, or where to resume.
    """
    num_rows = len(arrays[0])
    num_full = num_rows // batch_size
    passes = -(-num_batches // -(-num_rows // batch_size))
    # Some accelerators would otherwise hold the arrays and slow down each gather.
    with tf.device("CPU:0"):
        # One array given twice (a sample as its own target) is gathered once.
        tensors = {id(array): tf.constant(array) for array in arrays}

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_rows), seed=tf.stack([tf.constant(seed, tf.int64), number])
        )
        full, rest = order[: num_full * batch_size], order[num_full * batch_size :]
        batches = tf.data.Dataset.from_tensor_slices(
            tf.reshape(full, (num_full, batch_size))
        )
        if num_rows % batch_size:
            batches = batches.concatenate(tf.data.Dataset.from_tensors(rest))
        return batches

    def gather(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        batch = {key: tf.gather(tensor, rows) for key, tensor in tensors.items()}
        return tuple(batch[id(array)] for array in arrays)

    rows = tf.data.Dataset.range(passes).flat_map(one_pass).take(num_batches)
    # `skip` alone would read the variable now, before a callback can restore it.
    rows = tf.data.Dataset.range(1).flat_map(lambda _: rows.skip(first))
    return read_ahead(rows, gather)


def epochs_ahead(
    data: EpochDataset,
    orders: Callable[[], tuple[np.ndarray, ...]],
    cut: Callable[..., tf.data.Dataset],
    gather: Callable[..., Any],
) -> tf.data.Dataset:
    """Returns the batches of `data`, one epoch per pass, without Python per batch.

    Args:
        data: whose epochs begin and end with the passes.
        orders: returns the row numbers of the epoch that has begun.
        cut: makes a pipeline of batches of row numbers of them.
        gather: makes the batch of such row numbers.
    """

    def one_pass() -> Iterator[tuple[np.ndarray, ...]]:
        data.on_epoch_begin()
        yield orders()
        data.on_epoch_end()

    signature = tuple(tf.TensorSpec(o.shape, o.dtype) for o in orders())
    order = tf.data.Dataset.from_generator(one_pass, output_signature=signature)
    dataset = read_ahead(order.flat_map(cut), gather)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(data)))


def read_ahead(rows: tf.data.Dataset, gather: Callable[..., Any]) -> tf.data.Dataset:
    """Returns what `gather` makes of each element of `rows`, in order, ahead of use.

    Nothing is left to `tf.data`'s autotuning, for the reason in `datasets.pipelines`.
    """
    return untuned(rows.map(gather, num_parallel_calls=_THREADS).prefetch(_AHEAD))
