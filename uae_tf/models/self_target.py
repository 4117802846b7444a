"""What a model does that reconstructs its own input where no target is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    import tensorflow as tf

    _Model = keras.Model
else:
    # No model: Keras would make one functional for all, with the first that is.
    _Model = object


class SelfTarget(_Model):
    """Make the samples the target of `fit` and `evaluate` where none is given.

    To be named before `keras.Model` among the bases of a model with one input. A
    `sample_weight` (N,) weighs samples of any shape: Keras wants it in the rank of the
    losses, which for images is (N, height, width), and would else hold the weights of
    as many samples as an image is wide against its columns.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> class Model(SelfTarget, keras.Model):
        ...     def call(self, inputs):
        ...         return inputs + 1.0
        >>> model = Model()
        >>> model.compile("adam", "mse")
        >>> model.evaluate(np.zeros((4, 2)), verbose=0)
        1.0
    """

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does, with `x` where there is no `y`."""
        return _with_target(super().fit, *args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, with `x` where there is no `y`."""
        return _with_target(super().evaluate, *args, **kwargs)

    def compute_loss(
        self,
        x: tf.Tensor | None = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return the loss against `y`, or against `x` where there is no target.

        Raises:
            ValueError: `y` is no samples, but labels, say.
        """
        targets = keras.tree.flatten(y)
        if y is None:
            y = x
        elif len(targets) == 1:  # Bare, or in a list, which Keras takes as well.
            _check_target(targets[0], y_pred)
        if sample_weight is not None and len(sample_weight.shape) == 1:
            rank = _loss_rank(self.loss, y_pred)
            sample_weight = ops.reshape(sample_weight, (-1,) + (1,) * (rank - 1))
        return super().compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
        )

    def compute_metrics(
        self,
        x: tf.Tensor,
        y: tf.Tensor | None,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> dict[str, Any]:
        """Update the metrics against `y`, or against `x` where there is no target."""
        return super().compute_metrics(
            x, x if y is None else y, y_pred, sample_weight=sample_weight
        )


def _check_target(y: Any, y_pred: Any) -> None:
    """Refuse what Keras would broadcast: class labels against each pixel."""
    if getattr(y.shape, "rank", 0) is None:  # TensorFlow does not know it.
        return
    given, expected = (_without_trailing_ones(tensor) for tensor in (y, y_pred))
    fits = len(given) == len(expected) and all(
        size == wanted or None in (size, wanted)
        for size, wanted in zip(given, expected, strict=True)
    )
    if not fits:
        raise ValueError(
            "`y` must be samples, one to be made of each of x: expected shape (batch, "
            f"{', '.join(map(str, y_pred.shape[1:]))}). Received shape "
            f"{tuple(y.shape)}. Leave out class labels: then the samples are their own "
            "targets. Of a data set: `dataset.map(lambda x, y: x)`."
        )


def _without_trailing_ones(tensor: Any) -> list[int | None]:
    # Keras adds or drops a last axis of 1.
    sizes = list(tensor.shape[1:])
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return sizes


def _loss_rank(loss: Any, y_pred: Any) -> int:
    """Number of axes of the losses before Keras weighs and adds them up."""
    losses = keras.tree.flatten(loss)
    if len(losses) != 1 or losses[0] is None:
        return 1
    found = keras.losses.get(losses[0])
    call = found.call if isinstance(found, keras.losses.Loss) else found
    # Nothing but the shape of it is used, so a compiled step leaves it out.
    return len(call(y_pred, y_pred).shape)


def _with_target(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method of Keras, which drops weights of samples that have no target."""
    bound = inspect.signature(method).bind(*args, **kwargs)
    given = bound.arguments
    has_weights = given.get("sample_weight") is not None
    # Data sets bring their own targets, and Keras says so.
    if has_weights and given.get("y") is None and hasattr(given.get("x"), "shape"):
        given["y"] = given["x"]
    return method(*bound.args, **bound.kwargs)
