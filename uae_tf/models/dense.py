"""The dense autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from .autoencoder import (
    Autoencoder,
    check_input_shape,
    check_latent_dim,
    sample_tail,
    vector_head,
)


@keras.saving.register_keras_serializable("uae_tf")
class DenseAutoencoder(Autoencoder):
    """Reconstruct samples through one dense sigmoid layer.

    Images are flattened and put back inside the model; vectors are taken as they are.

    Args:
        input_shape: Shape of one sample, such as (28, 28, 1) or (617,).
        latent_dim: Length of the code, >= 1. Defaults to 128, the paper's value for
            MNIST; it uses 256 for SVHN (SPEC 1.14).
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape), float in [0, 1].

    Returns:
        (batch, *input_shape), in (0, 1).

    Raises:
        ValueError: `input_shape` or `latent_dim` is not made of positive integers.

    Randomness:
        Only the initial weights, Glorot uniform from Keras's global seed.

    Example:
        >>> model = DenseAutoencoder((8, 8, 1), latent_dim=16)
        >>> model.output_shape, model.encoder.output_shape
        ((None, 8, 8, 1), (None, 16))

    Reference:
        SPEC 3.3: 784-128 sigmoid-784 sigmoid.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        latent_dim: int = 128,
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        units = check_latent_dim(latent_dim)
        code = keras.layers.Dense(units, activation="sigmoid", name="code")
        pixels = keras.layers.Dense(
            math.prod(shape), activation="sigmoid", name="pixels"
        )
        super().__init__(
            shape,
            [*vector_head(shape), code],
            [pixels, *sample_tail(shape)],
            **kwargs,
        )
        self.latent_dim = units

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "latent_dim": self.latent_dim}
