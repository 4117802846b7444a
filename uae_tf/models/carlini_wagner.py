"""The convolutional classifier of Carlini and Wagner, which the paper attacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .autoencoder import check_input_shape
from .functional import FunctionalModel
from .layers import chain, check_classes, check_units
from .scopes import channels_last

PADDINGS = ("valid", "same")


@keras.saving.register_keras_serializable("uae_tf")
class CarliniWagnerClassifier(FunctionalModel):
    """Classify images by the networks of Carlini and Wagner; the output is logits.

    Two 3x3 convolutions of `filters[0]`, pool; two of `filters[1]`, pool; dense
    `units`, dropout, dense `units`, dense. ReLU after each but the last.

    Args:
        input_shape: (height, width, channels) of one image.
        num_classes: Number of classes, >= 2. Defaults to 10.
        filters: Of the convolutions before and after the first pool. Defaults to
            (32, 64), as published for MNIST; (64, 128) for CIFAR-10.
        units: Width of both hidden dense layers. Defaults to 200, as published for
            MNIST; 256 for CIFAR-10.
        dropout: Rate between the dense layers, in [0, 1). Defaults to 0.5.
        padding: `"valid"` as published, for sides of 16 or more, or `"same"`, for
            sides of 4 or more. Defaults to `"valid"`.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, height, width, channels), float in [0, 1]; shifted to
            [-0.5, 0.5] inside, as published.
        training: bool; True drops out.

    Returns:
        (batch, num_classes) logits.

    Raises:
        ValueError: `input_shape` is not (height, width, channels) or too small, or
            another argument is out of range.

    Randomness:
        Initial weights (Glorot uniform) and dropout, from Keras's global seed.

    Example:
        >>> model = CarliniWagnerClassifier((28, 28, 1))
        >>> model.output_shape, model.count_params()
        ((None, 10), 312202)

    Reference:
        Carlini and Wagner 2017, Table 1; SPEC 3.9.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int = 10,
        filters: Sequence[int] = (32, 64),
        units: int = 200,
        dropout: float = 0.5,
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        if padding not in PADDINGS:
            raise ValueError(
                f"padding must be one of {PADDINGS}. Received: padding={padding!r}."
            )
        smallest = 16 if padding == "valid" else 4
        if len(shape) != 3 or min(shape[:2]) < smallest:
            raise ValueError(
                "input_shape must be (height, width, channels), with padding="
                f"{padding!r} sides of {smallest} or more. Received: {shape}."
            )
        widths = check_units("filters", filters)
        if len(widths) != 2:
            raise ValueError(
                "filters must be two numbers, one for each pair of convolutions. "
                f"Received: filters={tuple(filters)}."
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout must lie in [0, 1). Received: dropout={dropout}."
            )
        (width,) = check_units("units", (units,))
        classes = check_classes(num_classes)
        layers = _layers(widths, width, classes, dropout, padding)
        inputs = keras.Input(shape=shape, name="x")
        super().__init__(inputs, chain(layers, inputs), **kwargs)
        self.sample_shape = shape
        self.num_classes = classes
        self.filters = widths
        self.units = width
        self.dropout = dropout
        self.padding = padding

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "input_shape": list(self.sample_shape),
            "num_classes": self.num_classes,
            "filters": list(self.filters),
            "units": self.units,
            "dropout": self.dropout,
            "padding": self.padding,
        }


@channels_last()
def _layers(
    filters: tuple[int, ...], units: int, classes: int, dropout: float, padding: str
) -> list[keras.layers.Layer]:
    layers: list[keras.layers.Layer] = [
        keras.layers.Rescaling(1.0, offset=-0.5, name="centre")
    ]
    for block, width in enumerate(filters, start=1):
        layers += [
            keras.layers.Conv2D(
                width, 3, padding=padding, activation="relu", name=f"conv{block}_{i}"
            )
            for i in (1, 2)
        ]
        layers.append(keras.layers.MaxPooling2D(name=f"pool{block}"))
    return [
        *layers,
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(units, activation="relu", name="hidden1"),
        keras.layers.Dropout(dropout, name="drop"),
        keras.layers.Dense(units, activation="relu", name="hidden2"),
        keras.layers.Dense(classes, name="logits"),
    ]
