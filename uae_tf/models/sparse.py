"""The sparse autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from ..losses import SparsityPenalty
from .autoencoder import (
    Autoencoder,
    check_input_shape,
    check_latent_dim,
    sample_tail,
    vector_head,
)


@keras.saving.register_keras_serializable("uae_tf")
class SparseAutoencoder(Autoencoder):
    """Reconstruct samples through a dense code whose units are mostly off.

    The layers are those of `DenseAutoencoder`. To the loss it is compiled with come
    `l1 * sum|a|` over both layers' activations (summed over the batch as well, see
    `uae_tf.losses.l1_penalty`) and `kl_weight * mean_j KL(target || mean of code j)`.

    Args:
        input_shape: Shape of one sample, such as (28, 28, 1) or (617,).
        latent_dim: Length of the code, >= 1. Defaults to 128 (SPEC 1.14).
        l1: Weight of the L1 term, >= 0. Defaults to 1e-7 (SPEC 3.4).
        kl_weight: Weight of the KL term, >= 0. Defaults to 3, the published code's
            value for MNIST; it uses 1 for SVHN (SPEC 3.4).
        sparsity_target: Wanted mean activation of a code unit, in (0, 1). Defaults
            to 0.1 (SPEC 3.4).
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape), float in [0, 1].

    Returns:
        (batch, *input_shape), in (0, 1). The penalties of the last call are in
        `losses`.

    Raises:
        ValueError: `input_shape` or `latent_dim` is not made of positive integers, a
            weight is negative, or `sparsity_target` is outside (0, 1).

    Randomness:
        Only the initial weights, Glorot uniform from Keras's global seed.

    Example:
        >>> model = SparseAutoencoder((8, 8, 1), latent_dim=16)
        >>> _ = model(keras.ops.zeros((2, 8, 8, 1)))
        >>> round(float(sum(model.losses)), 2)
        1.1

    Reference:
        SPEC 3.4 and 10.2. The paper's text mentions the L1 term only; the KL term
        is in the published code.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        latent_dim: int = 128,
        l1: float = 1e-7,
        kl_weight: float = 3.0,
        sparsity_target: float = 0.1,
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        units = check_latent_dim(latent_dim)
        code = keras.layers.Dense(units, activation="sigmoid", name="code")
        pixels = keras.layers.Dense(
            math.prod(shape), activation="sigmoid", name="pixels"
        )
        code_penalty = SparsityPenalty(
            l1, kl_weight, sparsity_target, name="code_penalty"
        )
        pixel_penalty = SparsityPenalty(l1, name="pixel_penalty")
        super().__init__(
            shape,
            [*vector_head(shape), code, code_penalty],
            [pixels, pixel_penalty, *sample_tail(shape)],
            **kwargs,
        )
        self.latent_dim = units
        self.l1 = l1
        self.kl_weight = kl_weight
        self.sparsity_target = sparsity_target

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "latent_dim": self.latent_dim,
            "l1": self.l1,
            "kl_weight": self.kl_weight,
            "sparsity_target": self.sparsity_target,
        }
