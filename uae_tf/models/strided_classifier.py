"""A small convolutional classifier, cheap enough for adversarial training."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from .autoencoder import check_input_shape
from .layers import check_classes
from .scopes import channels_last


@channels_last()
def strided_classifier(
    input_shape: Sequence[int],
    num_classes: int = 10,
    filters: tuple[int, int] = (16, 32),
    units: int = 100,
    name: str = "strided_classifier",
) -> keras.Model:
    """Build the network that is usual for adversarial training on MNIST.

    Two 4x4 convolutions of stride 2, a dense layer, ReLU after each; logits. A gradient
    costs a fifteenth of that of `CarliniWagnerClassifier`.

    Args:
        input_shape: (height, width, channels).
        num_classes: Number of classes, >= 2. Defaults to 10.
        filters: Of the two convolutions. Defaults to (16, 32).
        units: Of the dense layer. Defaults to 100.
        name: Of the model.

    Returns:
        A built `keras.Sequential` that returns (batch, num_classes) logits.

    Raises:
        ValueError: `input_shape` is not (height, width, channels), or `num_classes` is
            below 2.

    Randomness:
        Initial weights from Keras's global seed.

    Example:
        >>> strided_classifier((28, 28, 1)).count_params()
        166406

    Reference:
        Wong, Rice and Kolter, ICLR 2020, section 5.1.
    """
    shape = check_input_shape(input_shape)
    if len(shape) != 3:
        raise ValueError(
            f"input_shape must be (height, width, channels). Received: {shape}."
        )
    convolutions = [
        keras.layers.Conv2D(
            count, 4, strides=2, padding="same", activation="relu", name=f"conv{i}"
        )
        for i, count in enumerate(filters, start=1)
    ]
    return keras.Sequential(
        [
            keras.Input(shape=shape, name="x"),
            *convolutions,
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(units, activation="relu", name="hidden"),
            keras.layers.Dense(check_classes(num_classes), name="logits"),
        ],
        name=name,
    )
