"""What a model does that reconstructs its own input where no target is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    _Model = keras.Model
else:
    # No model: Keras would make one functional for all, with the first that is.
    _Model = object


class SelfTarget(_Model):
    """Make the samples the target of `fit` and `evaluate` where none is given.

    To be named before `keras.Model` among the bases of a model with one input. Keras
    wants `sample_weight` in the rank of the losses: (N,) for vectors, for images of
    (height, width, channels) (N, 1, 1).

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
        """Return the loss against `y`, or against `x` where there is no target."""
        return super().compute_loss(
            x=x,
            y=x if y is None else y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=training,
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


def _with_target(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method of Keras, which drops weights of samples that have no target."""
    bound = inspect.signature(method).bind(*args, **kwargs)
    given = bound.arguments
    has_weights = given.get("sample_weight") is not None
    # Data sets bring their own targets, and Keras says so.
    if has_weights and given.get("y") is None and hasattr(given.get("x"), "shape"):
        given["y"] = given["x"]
    return method(*bound.args, **bound.kwargs)
