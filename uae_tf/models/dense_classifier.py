"""The dense classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .autoencoder import check_input_shape, vector_head
from .functional import FunctionalModel
from .layers import chain, check_classes, check_units


@keras.saving.register_keras_serializable("uae_tf")
class DenseClassifier(FunctionalModel):
    """Classify samples by dense ReLU layers; the output is logits.

    Args:
        input_shape: Shape of one sample, such as (28, 28, 1) or (2,).
        num_classes: Number of classes, >= 2.
        hidden_units: Widths of the hidden layers. Defaults to (1200, 1200), the
            published network for MNIST; (100, 50) is the one for the two circles.
        normalization: Whether each hidden layer is batch-normalised before its ReLU.
            Defaults to True, as published for MNIST.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape), float.
        training: bool; True normalises by batch statistics.

    Returns:
        (batch, num_classes) logits.

    Raises:
        ValueError: `input_shape`, `num_classes` or `hidden_units` is not made of
            positive integers.

    Randomness:
        Only the initial weights, He normal from Keras's global seed.

    Example:
        >>> model = DenseClassifier((2,), 2, (100, 50), normalization=False)
        >>> model.output_shape, model.count_params()
        ((None, 2), 5452)

    Reference:
        SPEC 7.1.7 (MNIST) and 7.2.2 (circles).
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        num_classes: int,
        hidden_units: Sequence[int] = (1200, 1200),
        normalization: bool = True,
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        units = check_units("hidden_units", hidden_units)
        layers = vector_head(shape)
        for number, width in enumerate(units, start=1):
            layers += _hidden(width, f"hidden{number}", normalization)
        classes = check_classes(num_classes)
        inputs = keras.Input(shape=shape, name="x")
        logits = keras.layers.Dense(classes, name="logits")
        super().__init__(inputs, chain([*layers, logits], inputs), **kwargs)
        self.sample_shape = shape
        self.num_classes = classes
        self.hidden_units = units
        self.normalization = normalization

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "input_shape": list(self.sample_shape),
            "num_classes": self.num_classes,
            "hidden_units": list(self.hidden_units),
            "normalization": self.normalization,
        }


def _hidden(units: int, name: str, normalization: bool) -> list[keras.layers.Layer]:
    dense = keras.layers.Dense(
        units,
        kernel_initializer="he_normal",
        # The normalisation that follows subtracts any bias.
        use_bias=not normalization,
        name=name,
    )
    relu = keras.layers.Activation("relu", name=f"{name}_relu")
    if not normalization:
        return [dense, relu]
    norm = keras.layers.BatchNormalization(epsilon=1e-6, name=f"{name}_norm")
    return [dense, norm, relu]
