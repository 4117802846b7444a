"""Looking inside any Keras model: its first convolution, and a layer's output."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def first_convolution(model: keras.Model) -> keras.Layer | None:
    """The first convolution layer in the order of ``model.layers``, nested ones too."""
    if isinstance(model, _CONVOLUTIONS):
        return model
    for layer in getattr(model, "layers", []):
        found = first_convolution(layer)
        if found is not None:
            return found
    return None


@contextmanager
def observe(layer: keras.Layer | None) -> Iterator[list[tf.Tensor]]:
    """Records what ``layer`` returns while the block runs.

    One forward pass then yields both the model's output and an inner layer's, for
    Functional, Sequential and subclassed models alike; a second model built for the
    purpose would need symbolic inputs, which subclassed models do not have.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(2)
        >>> model = keras.Sequential([keras.Input((3,)), layer, keras.layers.ReLU()])
        >>> with observe(layer) as recorded:
        ...     _ = model(keras.ops.ones((1, 3)))
        >>> recorded[0].shape
        TensorShape([1, 2])
    """
    recorded: list[tf.Tensor] = []
    if layer is None:
        yield recorded
        return
    original = layer.call

    def recording(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        recorded.append(output)
        return output

    # Through __dict__: Keras would otherwise track the assignment as a new attribute.
    layer.__dict__["call"] = recording
    try:
        yield recorded
    finally:
        del layer.__dict__["call"]
