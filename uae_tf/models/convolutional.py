"""The convolutional autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .autoencoder import Autoencoder, check_input_shape
from .scopes import channels_last

# Form -> the factor that its pooling shrinks height and width by.
SHRINKAGE = {"mnist": 4, "svhn": 8}


@keras.saving.register_keras_serializable("uae_tf")
class ConvolutionalAutoencoder(Autoencoder):
    """Reconstruct images through pooled convolutions.

    Two published forms. `"mnist"`: 5x5 convolutions of 16, 8, 8, 16 filters, pooled
    twice. `"svhn"`: 3x3 convolutions of 64, 32, 16, 16, 32, 64 filters with batch
    normalisation, pooled three times. In both, `layers[1]` is the first convolution.

    Args:
        input_shape: (height, width, channels) of one image. Height and width must be
            divisible by 4 for the form `"mnist"`, by 8 for `"svhn"`: pooling followed
            by upsampling gives no other size back.
        form: `"mnist"`, `"svhn"` or `"auto"`. Defaults to `"auto"`: `"svhn"` for
            images of three channels, else `"mnist"`.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, height, width, channels), float in [0, 1].
        training: bool; True normalises by batch statistics in the form `"svhn"`.

    Returns:
        (batch, height, width, channels), in (0, 1).

    Raises:
        ValueError: `input_shape` is not (height, width, channels) or not divisible,
            or `form` is unknown.

    Randomness:
        Only the initial weights, Glorot uniform from Keras's global seed.

    Example:
        >>> model = ConvolutionalAutoencoder((28, 28, 1))
        >>> model.encoder.output_shape, model.layers[1].filters
        ((None, 7, 7, 8), 16)

    Reference:
        SPEC 3.5 (`"mnist"`) and 3.6 (`"svhn"`: the notebook the paper cites; its own
        file was not published).
    """

    def __init__(
        self, input_shape: Sequence[int], form: str = "auto", **kwargs: Any
    ) -> None:
        shape = check_input_shape(input_shape)
        form = _check_form(form, shape)
        make = {"mnist": _mnist_layers, "svhn": _svhn_layers}[form]
        encoder_layers, decoder_layers = make(shape[-1])
        super().__init__(shape, encoder_layers, decoder_layers, **kwargs)
        self.form = form

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "form": self.form}


def _check_form(form: str, shape: tuple[int, ...]) -> str:
    if form not in ("auto", *SHRINKAGE):
        raise ValueError(
            f"form must be 'auto', 'mnist' or 'svhn'. Received: form={form!r}."
        )
    if len(shape) != 3:
        raise ValueError(
            "input_shape must be (height, width, channels) for a convolutional "
            f"autoencoder. Received: {shape}. Add a channel axis, or use a "
            "DenseAutoencoder for vectors."
        )
    if form == "auto":
        form = "svhn" if shape[-1] == 3 else "mnist"
    factor = SHRINKAGE[form]
    if shape[0] % factor or shape[1] % factor:
        height, width = (-(-size // factor) * factor for size in shape[:2])
        raise ValueError(
            f"Height and width in input_shape must be divisible by {factor} for "
            f"form={form!r}: pooling and upsampling give no other size back. "
            f"Received: {shape}. Pad the images to ({height}, {width}, {shape[-1]})."
        )
    return form


@channels_last()
def _mnist_layers(
    channels: int,
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    def convolution(filters: int, name: str, activation: str = "relu") -> Any:
        return keras.layers.Conv2D(
            filters, 5, padding="same", activation=activation, name=name
        )

    encoder = [
        convolution(16, "conv1"),
        keras.layers.MaxPooling2D(name="pool1"),
        convolution(8, "conv2"),
        keras.layers.MaxPooling2D(name="pool2"),
    ]
    decoder = [
        convolution(8, "conv3"),
        keras.layers.UpSampling2D(name="up1"),
        convolution(16, "conv4"),
        keras.layers.UpSampling2D(name="up2"),
        convolution(channels, "pixels", activation="sigmoid"),
    ]
    return encoder, decoder


@channels_last()
def _svhn_layers(
    channels: int,
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    def block(filters: int, name: str, activation: str = "relu") -> list[Any]:
        return [
            keras.layers.Conv2D(filters, 3, padding="same", name=name),
            keras.layers.BatchNormalization(name=f"{name}_norm"),
            keras.layers.Activation(activation, name=f"{name}_{activation}"),
        ]

    encoder: list[keras.layers.Layer] = []
    for number, filters in enumerate((64, 32, 16), start=1):
        encoder += block(filters, f"conv{number}")
        encoder.append(keras.layers.MaxPooling2D(name=f"pool{number}"))
    decoder: list[keras.layers.Layer] = []
    for number, filters in enumerate((16, 32, 64), start=1):
        decoder += block(filters, f"conv{number + 3}")
        decoder.append(keras.layers.UpSampling2D(name=f"up{number}"))
    decoder += block(channels, "pixels", activation="sigmoid")
    return encoder, decoder
