"""What a model must return to be treated as a classifier."""

from __future__ import annotations

import keras


def check_logits(model: keras.Model, sample_shape: tuple[int, ...]) -> int:
    """Return the number of classes of a model that gives logits.

    Args:
        model: A built Keras model.
        sample_shape: Shape of one sample, without the batch axis.

    Raises:
        ValueError: The output is not (batch, classes) with two classes or more, or
            it ends in a softmax or sigmoid.
    """
    spec = model.compute_output_spec(keras.KerasTensor((1, *sample_shape)))
    shape = keras.tree.map_structure(lambda output: output.shape[1:], spec)
    if not (isinstance(shape, tuple) and len(shape) == 1 and (shape[0] or 0) > 1):
        raise ValueError(
            "A classifier must return logits (batch, classes), two classes or more. "
            f"{model.name!r} maps samples of shape {tuple(sample_shape)} to {shape}."
        )
    last = _last_layer(model)
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax):
        activation = keras.activations.softmax
    if activation in (keras.activations.softmax, keras.activations.sigmoid):
        raise ValueError(
            f"A classifier must return logits, but {model.name!r} ends in a "
            f"{activation.__name__}: probabilities would pass for logits, and a second "
            "softmax flatten them. Leave out that activation, and compile with "
            "`from_logits=True`."
        )
    return shape[0]


def _last_layer(model: keras.Model) -> keras.layers.Layer:
    layer: keras.layers.Layer = model
    while isinstance(layer, keras.Model) and layer.layers:
        layer = layer.layers[-1]
    return layer
