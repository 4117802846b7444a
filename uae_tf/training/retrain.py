"""Training from scratch for an exact number of optimizer updates."""

import gc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .arrays import as_samples, as_targets, as_weights, check_choice, check_count
from .pipeline import counted_batches
from .seeds import align_seed_generators

#: One compiled call runs at most this many updates: beyond it nothing is gained.
_MAX_STEPS_PER_EXECUTION = 25
#: Bytes of training data that are not left to Python to free when it comes to it.
_LARGE = 2**27


class Retrained(NamedTuple):
    """What `retrain` returns.

    Attributes:
        model: the trained model.
        history: metric name -> one value per fit epoch.
        updates: optimizer updates made; fewer than asked only where a callback
            stopped the training.
    """

    model: keras.Model
    history: dict[str, list[float]]
    updates: int


def retrain(
    model_factory: Callable[[], keras.Model],
    x: Any,
    y: Any = None,
    *,
    updates: int,
    batch_size: int = 128,
    target: str = "self",
    x_target: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    x_validation: Any = None,
    y_validation: Any = None,
    steps_per_epoch: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Retrained:
    """Trains a fresh model on `x` for exactly `updates` optimizer updates.

    Made for comparisons: an arm with twice or three times the rows gets the same
    number of updates, from the same initial weights, as the arm without. The rows are
    visited in shuffled passes; where the updates end within a pass, it is cut.

    Args:
        model_factory: takes nothing and returns a compiled, untrained model. It is
            called after the random seeds are set, so equal seeds give equal weights.
        x: inputs, `(R, *shape)`, any number of rows.
        y: targets with `R` rows; None for unsupervised training.
        updates: optimizer updates, at least 1. A batch counts as one also where the
            optimizer collects gradients, or skips an overflow in half precision.
        batch_size: rows per update, default 128; the last of a pass may have fewer.
        target: where `y` is None, `"self"`: each row is its own target (the authors'
            published code), or `"clean"`: the row of `x_target` is (denoising).
        x_target: `(R, ...)`, with `target="clean"` only.
        sample_weight: `(R,)` or None; see `AugmentedDataset` for images.
        seed: of initial weights, dropout and order.
        x_validation: inputs evaluated after each fit epoch, or None.
        y_validation: their targets; None for `x_validation` itself.
        steps_per_epoch: updates per fit epoch: one entry in the history, one
            validation, one round of epoch callbacks. Default a twentieth of `updates`,
            whatever the number of rows, so that curves of all arms have equal steps.
        callbacks: Keras callbacks. A run resumed by `BackupAndRestore` goes on with
            the batches the interrupted one had not seen.
        verbose: as in `fit`, default silent.
        progress: called as `progress(updates_done, updates)` as training goes on.

    Raises:
        TypeError: `x` does not hold numbers, or the factory returns no Keras model.
        ValueError: bad arrays or numbers, targets given twice or missing, or a model
            that is not compiled or already trained.

    Randomness: calls `keras.utils.set_random_seed(seed)`, which sets the global seeds
    of Python, NumPy and TensorFlow. On one machine a repeated call gives equal
    weights; add `tf.config.experimental.enable_op_determinism()` on a GPU.

    Example:
        >>> def factory():
        ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> trained = retrain(factory, np.ones((10, 4)), updates=7, batch_size=4)
        >>> trained.updates, int(trained.model.optimizer.iterations)
        (7, 7)
    """
    updates = check_count("updates", updates)
    batch_size = check_count("batch_size", batch_size)
    seed = check_count("seed", seed, minimum=0)
    check_choice("target", target, ("self", "clean"))
    arrays = _training_arrays(x, y, target, x_target, sample_weight)
    validation = _validation_arrays(x_validation, y_validation, arrays[0])
    epoch_steps, call_steps = split_steps(updates, steps_per_epoch)

    keras.utils.set_random_seed(seed)
    model = _make_model(model_factory)
    own_steps = model.steps_per_execution
    _set_steps_per_execution(model, call_steps)
    first = tf.Variable(0, dtype=tf.int64, trainable=False)
    counter = _UpdateCounter(updates, epoch_steps, call_steps, first, progress)
    history = model.fit(
        counted_batches(arrays, batch_size, updates, seed, first),
        epochs=-(-updates // epoch_steps),
        steps_per_epoch=epoch_steps,
        shuffle=False,
        validation_data=validation,
        validation_batch_size=max(batch_size, 256),
        callbacks=[*callbacks, counter],
        verbose=verbose,
    )
    _set_steps_per_execution(model, own_steps)
    # An input pipeline is a cycle of references: without this, the data of ten such
    # trainings can be in memory at once. It takes too long to do it for small data.
    if sum(array.nbytes for array in arrays) > _LARGE:
        gc.collect()
    return Retrained(model, history.history, counter.done)


class _UpdateCounter(keras.callbacks.Callback):
    """Counts updates, reports them, and ends the last epoch where they run out."""

    def __init__(
        self,
        total: int,
        epoch_steps: int,
        stride: int,
        first: tf.Variable,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        super().__init__()
        self.total = total
        self.epoch_steps = epoch_steps
        self.stride = stride
        self.first = first
        self.progress = progress
        self.done = 0

    def on_train_begin(self, logs: Any = None) -> None:
        # More than none only where BackupAndRestore has just resumed a run. Keras does
        # not count batches that are collected, or skipped for an overflow.
        batches = (self.model._initial_epoch or 0) * self.epoch_steps
        self.done = max(batches, int(self.model.optimizer.iterations.numpy()))
        self.first.assign(self.done)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        align_seed_generators(self.model, epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done = min(self.done + self.stride, self.total)
        if self.progress is not None:
            self.progress(self.done, self.total)
        if self.done == self.total:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        # BackupAndRestore leaves it set, and a later `fit` would then skip epochs.
        self.model._initial_epoch = None


def _training_arrays(
    x: Any, y: Any, target: str, x_target: Any, sample_weight: Any
) -> tuple[np.ndarray, ...]:
    x = as_samples("x", x)
    if target == "clean" and y is not None:
        raise ValueError(
            "`target='clean'` takes its targets from `x_target`, but `y` of shape "
            f"{np.shape(y)} was given as well. Leave out one of the two."
        )
    if (target == "clean") != (x_target is not None):
        raise ValueError(
            "`x_target` must be given with `target='clean'`, and only then. Received "
            f"target={target!r} and x_target of shape "
            f"{None if x_target is None else np.shape(x_target)}."
        )
    targets = x
    if y is not None:
        targets = as_targets("y", y, len(x))
    elif x_target is not None:
        targets = as_targets("x_target", x_target, len(x))
    if sample_weight is None:
        return x, targets
    return x, targets, as_weights(sample_weight, len(x))


def _validation_arrays(
    x_validation: Any, y_validation: Any, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    if x_validation is None:
        if y_validation is not None:
            raise ValueError("`y_validation` needs `x_validation`. Received None.")
        return None
    inputs = as_samples("x_validation", x_validation)
    if inputs.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"`x_validation` must have samples of shape {x.shape[1:]}, as `x` has. "
            f"Received shape {inputs.shape}."
        )
    if y_validation is None:
        return inputs, inputs
    return inputs, as_targets("y_validation", y_validation, len(inputs))


def split_steps(updates: int, steps_per_epoch: int | None) -> tuple[int, int]:
    """Returns updates per fit epoch and, dividing it, updates per compiled call."""
    if steps_per_epoch is None:
        epoch_steps = -(-updates // 20)
        call_steps = min(epoch_steps, _MAX_STEPS_PER_EXECUTION)
        return -(-epoch_steps // call_steps) * call_steps, call_steps
    epoch_steps = check_count("steps_per_epoch", steps_per_epoch)
    limit = min(epoch_steps, _MAX_STEPS_PER_EXECUTION)
    # A call that overran the epoch would shift every later epoch.
    return epoch_steps, next(n for n in range(limit, 0, -1) if epoch_steps % n == 0)


def _make_model(model_factory: Callable[[], keras.Model]) -> keras.Model:
    model = model_factory()
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model_factory` must return a Keras model. Received "
            f"{type(model).__name__}."
        )
    if not model.compiled:
        raise ValueError(
            f"`model_factory` must return a compiled model. Received {model.name!r}, "
            "not compiled: call `model.compile(optimizer, loss)` in the factory."
        )
    made = int(model.optimizer.iterations.numpy())
    if made > 0:
        raise ValueError(
            "`model_factory` must return an untrained model. Received one after "
            f"{made} updates: build a new model in the "
            "factory at every call."
        )
    return model


def _set_steps_per_execution(model: keras.Model, steps: int) -> None:
    if model.steps_per_execution == steps:
        return
    model.steps_per_execution = steps
    # Compiled for the old number of steps.
    model.train_function = model.test_function = model.predict_function = None
