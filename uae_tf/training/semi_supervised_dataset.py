"""Batches of labelled and unlabelled samples, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from .arrays import as_samples, as_targets, check_count
from .epochs import EpochDataset
from .pipeline import epochs_ahead


class SemiSupervisedDataset(EpochDataset):
    """Serves `((labelled, unlabelled), labels)` for semi-supervised training.

    Two streams of shuffled passes, one over the few labelled samples and one over the
    many unlabelled, are cut into batches of fixed size; an epoch is `steps_per_epoch`
    of them. Each epoch begins both anew: where it is shorter than a pass, it shows
    samples drawn at random, whatever others have shown.

    Args:
        x: labelled samples, `(L, *shape)`.
        y: their class numbers, `(L,)`.
        x_unlabelled: `(U, *shape)`; by custom it contains `x`. None for supervised
            training, where the labelled samples stand in.
        examples: `(U, *shape)`, an example of each unlabelled sample that is to be
            predicted alike, for `ConsistencyTraining`; None where the training makes
            its own. Batches then are `((labelled, unlabelled, examples), labels)`.
        labelled_batch: labelled rows per batch, default 32.
        unlabelled_batch: unlabelled rows per batch, default 128.
        steps_per_epoch: batches per epoch; default as many as cover `x_unlabelled`.
        seed: of the order.

    Raises:
        TypeError: an array does not hold numbers.
        ValueError: an empty array, NaN or infinity, labels that are no class numbers,
            or shapes that differ.

    Randomness: the order of an epoch depends on `seed` and the epoch's number alone.

    Example:
        >>> x, y = np.zeros((8, 2)), np.arange(8) % 2
        >>> data = SemiSupervisedDataset(
        ...     x, y, np.zeros((300, 2)), labelled_batch=8, unlabelled_batch=100)
        >>> (labelled, unlabelled), labels = data[0]
        >>> len(data), labelled.shape, unlabelled.shape, labels.shape
        (3, (8, 2), (100, 2), (8,))

    Reference:
        SPEC 7.1.5: 32 labelled and 128 unlabelled, 400 batches an epoch.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        x_unlabelled: Any = None,
        examples: Any = None,
        labelled_batch: int = 32,
        unlabelled_batch: int = 128,
        steps_per_epoch: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.x = as_samples("x", x)
        self.y = as_targets("y", y, len(self.x))
        if self.y.ndim != 1 or self.y.dtype.kind not in "iu" or self.y.min() < 0:
            raise ValueError(
                "`y` must hold class numbers (0, 1, ...), shape (N,). Received shape "
                f"{self.y.shape}, dtype {self.y.dtype}, smallest {self.y.min()}."
            )
        unlabelled = self.x
        if x_unlabelled is not None:
            unlabelled = as_samples("x_unlabelled", x_unlabelled)
        self.pools = [_fitting("x_unlabelled", unlabelled, self.x.shape[1:])]
        if examples is not None:
            examples = as_samples("examples", examples)
            self.pools.append(_fitting("examples", examples, unlabelled.shape, 0))
        self.labelled_batch = check_count("labelled_batch", labelled_batch)
        self.unlabelled_batch = check_count("unlabelled_batch", unlabelled_batch)
        if steps_per_epoch is None:
            steps_per_epoch = -(-len(unlabelled) // self.unlabelled_batch)
        self.steps_per_epoch = check_count("steps_per_epoch", steps_per_epoch)
        self.seed = check_count("seed", seed, minimum=0)
        self._shuffle()

    def __len__(self) -> int:
        return self.steps_per_epoch

    def as_tf_data(self) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of the same batches, one epoch per pass.

        The fastest way into `fit`: no Python runs per batch. It costs a copy of the
        arrays. Give `fit` `shuffle=False`, or Keras warns that it leaves shuffling to
        the dataset; and a run that may be resumed the dataset itself, whose epochs
        `fit` can name.
        """
        # The accelerators' memory is for the model.
        with tf.device("CPU:0"):
            x, y = tf.constant(self.x), tf.constant(self.y)
            pools = [tf.constant(pool) for pool in self.pools]

        def orders() -> tuple[np.ndarray, np.ndarray]:
            return (
                self._labelled_order.reshape(-1, self.labelled_batch),
                self._unlabelled_order.reshape(-1, self.unlabelled_batch),
            )

        def cut(*orders: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(orders)

        def gather(rows: tf.Tensor, others: tf.Tensor) -> tuple:
            parts = (tf.gather(pool, others) for pool in pools)
            return (tf.gather(x, rows), *parts), tf.gather(y, rows)

        return epochs_ahead(self, orders, cut, gather)

    def _batch(self, index: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        rows = _rows(self._labelled_order, index, self.labelled_batch)
        others = _rows(self._unlabelled_order, index, self.unlabelled_batch)
        pools = (pool.take(others, axis=0) for pool in self.pools)
        return (self.x.take(rows, axis=0), *pools), self.y.take(rows)

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self.seed, self.epoch))
        steps = self.steps_per_epoch
        self._labelled_order = _passes(rng, len(self.x), steps * self.labelled_batch)
        self._unlabelled_order = _passes(
            rng, len(self.pools[0]), steps * self.unlabelled_batch
        )


def _passes(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """`count` row numbers from shuffled passes over `rows` rows, the last one cut."""
    passes = [rng.permutation(rows) for _ in range(-(-count // rows))]
    return np.concatenate(passes)[:count]


def _rows(order: np.ndarray, index: int, size: int) -> np.ndarray:
    return order[index * size : (index + 1) * size]


def _fitting(
    name: str, array: np.ndarray, shape: tuple[int, ...], first_axis: int = 1
) -> np.ndarray:
    if array.shape[first_axis:] != shape:
        kind = "samples" if first_axis else "an array"
        raise ValueError(
            f"`{name}` must hold {kind} of shape {shape}. Received shape {array.shape}."
        )
    return array
