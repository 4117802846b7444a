"""A Keras dataset whose batches mix samples with their adversarial examples."""

from typing import Any

import numpy as np
import tensorflow as tf

from .arrays import (
    as_indices,
    as_samples,
    as_targets,
    as_weights,
    check_choice,
    check_count,
)
from .epochs import EpochDataset
from .pipeline import epochs_ahead

TARGETS = ("self", "clean", "pair")


class AugmentedDataset(EpochDataset):
    """Serves `x` together with `copies` slots for its adversarial examples.

    `fit` fixes the number of batches before training begins, so data that grows
    between epochs is cut short or ignored. Here the `(1 + copies) * N` slots exist
    from the start: slot block 0 is `x`, and each further slot holds `x` itself until
    `set_examples` puts an adversarial example there. A sample without an example is
    thus seen `1 + copies` times an epoch, as under plain duplication.

    Args:
        x: samples, `(N, *shape)`; cast to `keras.config.floatx()`.
        y: targets with `N` rows, repeated for every slot of a sample. None for
            unsupervised training, where `target` decides.
        batch_size: rows per batch, default 128. The last batch may be smaller.
        target: what an adversarial example is to be mapped to where `y` is None:
            `"self"` itself (the authors' published code), `"clean"` the sample it
            was made from (denoising). `"pair"`, for contrastive learning: there is no
            target, and the input is the pair (sample, what its slot holds).
        copies: example slots per sample, default 1.
        sample_weight: one weight per sample, repeated for every slot, or None. Our
            autoencoders weigh images by it. Another model that gives images needs a
            loss of one number per image: Keras would hold the weights against the
            columns of what `"mse"` returns.
        shuffle: whether each epoch visits the slots in a new order.
        seed: of the order.
        samples_per_epoch: samples that an epoch visits, in all their slots; the next
            epoch goes on with others, until fewer are left than it takes; those wait
            for another order. Short epochs let `UAECallback` follow the model closely
            on large data. None: all.

    Batches: `(inputs, targets)`, or `(inputs, targets, weights)` with weights;
    `((samples, inputs),)` for pairs.

    Raises:
        TypeError: `x` does not hold numbers.
        ValueError: an empty array, NaN or infinity, lengths that differ, an unknown
            `target`, `target="clean"` or `"pair"` together with `y`, or pairs together
            with weights.

    Randomness: the order of an epoch, and which samples it visits, depend on `seed` and
    the epoch number only. The number counts the epochs served, unless `set_epoch` names
    it, as `UAECallback` does.

    Cost: memory `(1 + copies)` times that of `x`; one gather per batch.

    Example:
        >>> data = AugmentedDataset(np.zeros((6, 4)), batch_size=4, shuffle=False)
        >>> len(data), data.num_samples
        (3, 6)
        >>> data.set_examples(np.ones((2, 4)), indices=[0, 5])
        >>> data.active.astype(int)
        array([[1, 0, 0, 0, 0, 1]])
        >>> inputs, targets = data[1]
        >>> inputs[:, 0]
        array([0., 0., 1., 0.], dtype=float32)
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 128,
        target: str = "self",
        copies: int = 1,
        sample_weight: Any = None,
        shuffle: bool = True,
        seed: int = 0,
        samples_per_epoch: int | None = None,
    ) -> None:
        super().__init__()
        x = as_samples("x", x)
        self.num_samples = len(x)
        if samples_per_epoch is None:
            samples_per_epoch = self.num_samples
        check_count("samples_per_epoch", samples_per_epoch)
        self.samples_per_epoch = min(samples_per_epoch, self.num_samples)
        self.batch_size = check_count("batch_size", batch_size)
        self.copies = check_count("copies", copies)
        self.seed = check_count("seed", seed, minimum=0)
        self.shuffle = bool(shuffle)
        self.target = check_choice("target", target, TARGETS)
        if y is not None and target != "self":
            raise ValueError(
                f"`target={target!r}` says what stands in the place of targets, but "
                f"`y` of shape {np.shape(y)} was given as well. Leave out one of the "
                "two."
            )
        if sample_weight is not None and target == "pair":
            raise ValueError(
                "`target='pair'` is for contrastive learning, where a sample's loss "
                "depends on the others: it cannot be weighted. Leave out "
                "`sample_weight`."
            )
        self.y = None if y is None else as_targets("y", y, self.num_samples)
        self.sample_weight = (
            None
            if sample_weight is None
            else as_weights(sample_weight, self.num_samples)
        )
        self._slots = np.tile(x, (1 + self.copies,) + (1,) * (x.ndim - 1))
        self._active = np.zeros((self.copies, self.num_samples), bool)
        self._version = 0
        self._shuffle()

    @classmethod
    def from_tf_data(
        cls, dataset: tf.data.Dataset, batched: bool = True, **settings: Any
    ) -> "AugmentedDataset":
        """Reads a finite `tf.data.Dataset` into memory and wraps it.

        Args:
            dataset: yields `x`, `(x, y)` or `(x, y, sample_weight)`.
            batched: whether its elements are batches (default) or single samples.
            **settings: further arguments of `AugmentedDataset`.

        Raises:
            ValueError: an endless or empty dataset, or elements of another structure
                or of shapes that do not fit.
        """
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "`dataset` must be finite. Received one that repeats for ever: leave "
                "out `.repeat()` or add `.take(count)`."
            )
        parts = [
            element if isinstance(element, tuple) else (element,)
            for element in dataset.as_numpy_iterator()
        ]
        if not parts:
            raise ValueError("`dataset` must have elements. Received an empty one.")
        if len(parts[0]) > 3 or any(isinstance(p, dict) for p in parts[0]):
            raise ValueError(
                "`dataset` must yield x, (x, y) or (x, y, sample_weight). Received "
                f"elements of structure {dataset.element_spec}. Reshape them with "
                "`dataset.map`."
            )
        join = np.concatenate if batched else np.stack
        try:
            arrays = [join(columns) for columns in zip(*parts, strict=True)]
        except ValueError as error:
            shapes = [np.shape(part) for part in parts[0]]
            raise ValueError(
                "The elements of `dataset` do not make up one array. Received elements "
                f"of shapes {shapes} at first, with batched={batched}. Pass "
                f"`batched={not batched}` where they are "
                f"{'single samples' if batched else 'batches'} ({error})."
            ) from error
        names = ("x", "y", "sample_weight")
        return cls(**dict(zip(names, arrays, strict=False)), **settings)

    def as_tf_data(self) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of the same batches, one epoch per pass.

        Each pass shows the slots as they are when it begins, so examples set later are
        served too. The fastest way into `fit`: no Python runs per batch, which saves
        0.3 ms, 3 to 6 % of a step of a small model. It costs a copy of the slots. Give
        `fit` `shuffle=False`, or Keras warns that it leaves shuffling to the dataset.
        """
        # The accelerators' memory is for the model.
        with tf.device("CPU:0"):
            slots = tf.Variable(self._slots, trainable=False)
            fixed = {
                name: tf.constant(array)
                for name, array in (("y", self.y), ("weight", self.sample_weight))
                if array is not None
            }
        shown = self._version

        def orders() -> tuple[np.ndarray]:
            nonlocal shown
            if shown != self._version:
                slots.assign(self._slots)
                shown = self._version
            return (self._order,)

        def cut(order: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)

        def gather(chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
            inputs, rows = tf.gather(slots, chosen), chosen % self.num_samples
            if self.target == "pair":
                return ((tf.gather(slots, rows), inputs),)
            if "y" in fixed:
                targets = tf.gather(fixed["y"], rows)
            else:
                targets = tf.gather(slots, rows) if self.target == "clean" else inputs
            if "weight" not in fixed:
                return inputs, targets
            return inputs, targets, tf.gather(fixed["weight"], rows)

        return epochs_ahead(self, orders, cut, gather)

    @property
    def x(self) -> np.ndarray:
        """The samples, `(N, *shape)`, read-only."""
        return _read_only(self._slots[: self.num_samples])

    @property
    def examples(self) -> np.ndarray:
        """What the example slots hold, `(copies, N, *shape)`, read-only."""
        shape = (self.copies, self.num_samples, *self._slots.shape[1:])
        return _read_only(self._slots[self.num_samples :].reshape(shape))

    @property
    def active(self) -> np.ndarray:
        """Which slots hold an adversarial example, `(copies, N)` bool, read-only."""
        return _read_only(self._active)

    def rows_of_epoch(self, epoch: int) -> np.ndarray:
        """The samples that an epoch visits, `(samples_per_epoch,)`, ascending."""
        count, size = self.num_samples, self.samples_per_epoch
        if not self.shuffle or size == count:
            return np.sort(np.arange(epoch * size, (epoch + 1) * size) % count)
        # What does not divide the samples waits for the next round, in another order.
        round_, part = divmod(epoch, count // size)
        rows = np.random.default_rng((self.seed, round_, count)).permutation(count)
        return np.sort(rows[part * size : (part + 1) * size])

    def set_examples(
        self, examples: Any, indices: Any = None, copy: int = 0, active: Any = True
    ) -> None:
        """Puts examples into the slots of one copy; batches show them from then on.

        Args:
            examples: `(M, *shape)`.
            indices: the samples they belong to, `(M,)` in `[0, N)`; None for all.
            copy: which of the sample's slots, in `[0, copies)`.
            active: one bool, or `(M,)`: False where the row is no adversarial example
                but the sample put back.

        Raises:
            ValueError: a shape that does not fit the data or the indices, an index or
                copy out of range, or NaN or infinity. The slots are then unchanged.
        """
        examples = as_samples("examples", examples)
        rows = as_indices(indices, self.num_samples)
        expected = (len(rows), *self._slots.shape[1:])
        if examples.shape != expected:
            raise ValueError(
                f"`examples` must have shape {expected}, one row per index. Received "
                f"shape {examples.shape}."
            )
        if not 0 <= copy < self.copies:
            raise ValueError(
                f"`copy` must lie in [0, {self.copies}). Received {copy!r}. Build the "
                "dataset with a larger `copies` for more examples per sample."
            )
        active = np.asarray(active, bool)
        if active.shape not in ((), (len(rows),)):
            raise ValueError(
                f"`active` must be one bool or have shape ({len(rows)},), one per "
                f"index. Received shape {active.shape}."
            )
        self._slots[(1 + copy) * self.num_samples + rows] = examples
        self._active[copy, rows] = active
        self._version += 1

    def reset_examples(self) -> None:
        """Puts every sample back into its example slots."""
        self._slots[self.num_samples :] = np.tile(
            self.x, (self.copies,) + (1,) * (self._slots.ndim - 1)
        )
        self._active[:] = False
        self._version += 1

    def __len__(self) -> int:
        return -(-len(self._order) // self.batch_size)

    def _batch(self, index: int) -> tuple[np.ndarray, ...]:
        start = index * self.batch_size
        return self._gather(self._order[start : start + self.batch_size])

    def _gather(self, slots: np.ndarray) -> tuple[np.ndarray, ...]:
        inputs = self._slots.take(slots, axis=0)
        rows = slots % self.num_samples
        if self.target == "pair":
            return ((self._slots.take(rows, axis=0), inputs),)
        if self.y is not None:
            targets = self.y.take(rows, axis=0)
        elif self.target == "clean":
            targets = self._slots.take(rows, axis=0)
        else:
            targets = inputs
        if self.sample_weight is None:
            return inputs, targets
        return inputs, targets, self.sample_weight.take(rows)

    def _shuffle(self) -> None:
        blocks = self.num_samples * np.arange(1 + self.copies)[:, None]
        self._order = (blocks + self.rows_of_epoch(self.epoch)).ravel()
        if self.shuffle:
            rng = np.random.default_rng((self.seed, self.epoch))
            self._order = rng.permutation(self._order)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
