"""The large convolutional classifier of semi-supervised learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .autoencoder import check_input_shape
from .functional import FunctionalModel
from .fused_norm import FusedBatchNormalization
from .layers import chain, check_classes, check_units
from .scopes import channels_last

# Below it the third block, which pads nothing, has no pixel left.
SMALLEST_SIDE = 12


@keras.saving.register_keras_serializable("uae_tf")
class ConvolutionalClassifier(FunctionalModel):
    """Classify images by the 13-layer network of VAT; the output is logits.

    3x3 convolutions of `width` filters three times, pool, dropout; of twice the width
    three times, pool, dropout; four times the width without padding, 1x1 of twice the
    width, 1x1 of the width; global mean; dense. Each convolution has no bias and is
    followed by batch normalisation and a leaky ReLU of slope 0.1.

    Args:
        input_shape: (height, width, channels) of one image, sides of 12 or more.
        num_classes: Number of classes, >= 2.
        width: Filters of the first block. Defaults to 128, as published; a smaller one
            is a smaller network of the same form.
        dropout: Rate of the two dropout layers. Defaults to 0.5.
        normalize_logits: Whether the logits are batch-normalised: published for SVHN
            alone. Defaults to False.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, height, width, channels), float in [0, 1], shifted to
            [-0.5, 0.5] inside; or whitened.
        training: bool; True drops out and normalises by batch statistics.

    Returns:
        (batch, num_classes) logits.

    Raises:
        ValueError: `input_shape` is not (height, width, channels) or too small, or a
            number is out of range.

    Randomness:
        Initial weights (He normal) and dropout, from Keras's global seed.

    Example:
        >>> model = ConvolutionalClassifier((32, 32, 3), 10, width=8)
        >>> model.output_shape
        (None, 10)

    Reference:
        SPEC 7.1.3, 7.1.6, whose ZCA whitening is done before, by
        `uae_tf.datasets.ZCAWhitening` (docs/DECISIONS.md).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        width: int = 128,
        dropout: float = 0.5,
        normalize_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        if len(shape) != 3 or min(shape[:2]) < SMALLEST_SIDE:
            raise ValueError(
                "input_shape must be (height, width, channels) with sides of "
                f"{SMALLEST_SIDE} or more. Received: {shape}. Use a DenseClassifier "
                "for smaller images and for vectors."
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout must lie in [0, 1). Received: dropout={dropout}."
            )
        (filters,) = check_units("width", (width,))
        classes = check_classes(num_classes)
        layers = _layers(filters, classes, dropout)
        if normalize_logits:
            norm = keras.layers.BatchNormalization(epsilon=1e-6, name="logits_norm")
            layers.append(norm)
        inputs = keras.Input(shape=shape, name="x")
        super().__init__(inputs, chain(layers, inputs), **kwargs)
        self.sample_shape = shape
        self.num_classes = classes
        self.width = filters
        self.dropout = dropout
        self.normalize_logits = normalize_logits

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "input_shape": list(self.sample_shape),
            "num_classes": self.num_classes,
            "width": self.width,
            "dropout": self.dropout,
            "normalize_logits": self.normalize_logits,
        }


@channels_last()
def _layers(width: int, classes: int, dropout: float) -> list[keras.layers.Layer]:
    # Filters, kernel size, padding.
    blocks = (
        [(width, 3, "same")] * 3,
        [(2 * width, 3, "same")] * 3,
        [(4 * width, 3, "valid"), (2 * width, 1, "same"), (width, 1, "same")],
    )
    layers: list[keras.layers.Layer] = [
        keras.layers.Rescaling(1.0, offset=-0.5, name="centre")
    ]
    for block, convolutions in enumerate(blocks, start=1):
        for number, settings in enumerate(convolutions, start=1):
            layers += _convolution(*settings, f"conv{block}_{number}")
        if block < len(blocks):
            layers.append(keras.layers.MaxPooling2D(name=f"pool{block}"))
            layers.append(keras.layers.Dropout(dropout, name=f"drop{block}"))
    return [
        *layers,
        keras.layers.GlobalAveragePooling2D(name="mean"),
        keras.layers.Dense(classes, name="logits"),
    ]


def _convolution(
    filters: int, size: int, padding: str, name: str
) -> list[keras.layers.Layer]:
    return [
        keras.layers.Conv2D(
            filters,
            size,
            padding=padding,
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        ),
        FusedBatchNormalization(epsilon=1e-6, name=f"{name}_norm"),
        keras.layers.LeakyReLU(0.1, name=f"{name}_relu"),
    ]
