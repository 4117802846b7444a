"""Small things that several models are built with."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import keras

from ..backend import is_mirrored


# Any: Keras declares that keras.Input may return a list.
def chain(layers: Sequence[keras.layers.Layer], tensor: Any) -> Any:
    """Apply layers one after the other."""
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def check_units(name: str, units: Sequence[int]) -> tuple[int, ...]:
    """Return widths of layers as a tuple of positive integers, one or more.

    Raises:
        ValueError: They are not.
    """
    try:
        widths = tuple(operator.index(width) for width in units)
    except TypeError:
        widths = ()
    if not widths or min(widths) < 1:
        raise ValueError(
            f"{name} must be positive integers, one for each layer, such as (100, 50). "
            f"Received: {name}={units!r}."
        )
    return widths


def check_classes(num_classes: int) -> int:
    """Return `num_classes` if it is an integer of at least 2.

    Raises:
        ValueError: It is not.
    """
    try:
        count = operator.index(num_classes)
    except TypeError:
        count = 0
    if count < 2:
        raise ValueError(
            "num_classes must be an integer, at least 2. "
            f"Received: num_classes={num_classes!r}."
        )
    return count


def check_image_shape(input_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return (height, width, channels) as positive integers.

    Raises:
        ValueError: It is not the shape of an image.
    """
    try:
        height, width, channels = (operator.index(size) for size in input_shape)
    except (TypeError, ValueError):
        height = width = channels = 0
    if min(height, width, channels) < 1:
        raise ValueError(
            "input_shape must be (height, width, channels), positive integers without "
            f"the batch axis, such as (32, 32, 3). Received: {input_shape!r}."
        )
    return height, width, channels


def batch_norm(name: str, **options: Any) -> keras.layers.BatchNormalization:
    """Return the batch normalisation of SimCLR: momentum 0.9, epsilon 1e-5.

    Built under a strategy of several replicas it takes the statistics of the whole
    batch, as the reference does (SPEC 6.4), not those of a replica's part.
    """
    if is_mirrored():
        options["synchronized"] = True
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, name=name, **options
    )


def with_own_batch_norm(model: keras.layers.Layer, suffix: str) -> keras.Model:
    """Return a functional model that shares all weights but batch normalisation's.

    Those are new ones, with a scale, a shift and statistics of their own, also those
    of models within the model.

    Raises:
        ValueError: The model, or a model or layer within it that normalises batches
            by layers of its own, was not made by Keras's functional API.
    """
    # Subclassed models have no symbolic inputs to rebuild them from.
    if not getattr(model, "inputs", None):
        raise ValueError(
            "Batch normalisation of its own for adversarial examples needs a model "
            "made by Keras's functional API, and no layers within it that hold batch "
            f"normalisation of theirs. Received {model!r}."
        )

    def fresh(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.BatchNormalization):
            config = {**layer.get_config(), "name": f"{layer.name}_{suffix}"}
            return type(layer).from_config(config)
        # A layer that is no model is refused there: shared, it would mix statistics.
        return with_own_batch_norm(layer, suffix) if _normalises(layer) else layer

    # A plain functional model: `clone_model` would call a subclass's constructor.
    functional = keras.Model(model.inputs[0], model.outputs[0])
    return keras.models.clone_model(functional, clone_function=fresh)


def _normalises(layer: keras.layers.Layer) -> bool:
    norm = keras.layers.BatchNormalization
    return any(isinstance(part, norm) for part in layer._flatten_layers())
