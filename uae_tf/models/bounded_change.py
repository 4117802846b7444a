"""Changes of one length and either sign, for a generator of adversarial examples."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from ..ops import unit_l2
from .layers import chain

#: Slope of the leaky ReLUs. Plain ones die: inputs may be whitened, and the first
#: updates of a generator are rough.
_SLOPE = 0.2
#: Added to the diagonal of columns' products, which is 1, and to squared norms.
_RIDGE, _TINY = 1e-3, 1e-12
#: Stride-2 convolutions of the U-Net.
UNET_HALVINGS = 2


@keras.saving.register_keras_serializable("uae_tf")
class BoundedChange(keras.layers.Layer):
    """Add a change of length epsilon along noisy directions to a sample.

    `x + epsilon * Q(x) z / ||Q(x) z||`, with Q(x) the orthonormalised basis. Two things
    keep a classifier from learning the change instead of resisting it. It is odd in z:
    of each direction both signs are equally likely, so it does not tell the class of
    its sample. And the directions are orthogonal, so they cannot become all one, and
    an update draws from all of them (docs/DECISIONS.md).

    Args:
        epsilon: L2 length of the change, in units of the samples.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        inputs: `[x, basis, z]` of shapes (batch, *shape), (batch, *shape, k) and
            (batch, k).

    Returns:
        (batch, *shape), in the dtype of `x`.
    """

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 < epsilon < math.inf:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}.")
        self.epsilon = epsilon

    def call(self, inputs: Any) -> tf.Tensor:
        x, basis, z = inputs
        size = math.prod(basis.shape[1:-1])
        # No half precision: there is no decomposition of it.
        columns = tf.cast(tf.reshape(basis, (-1, size, basis.shape[-1])), tf.float32)
        columns = tf.math.l2_normalize(columns, axis=1, epsilon=_TINY)
        gram = tf.matmul(columns, columns, transpose_a=True)
        # The inverse of its root makes columns orthonormal. The ridge is for columns
        # that depend on each other, as more of them than entries of a sample do.
        root = tf.linalg.cholesky(gram + _RIDGE * tf.eye(basis.shape[-1]))
        mixed = tf.linalg.triangular_solve(
            root, tf.cast(z, tf.float32)[..., None], adjoint=True
        )
        change = tf.reshape(tf.matmul(columns, mixed), tf.shape(x))
        return x + tf.cast(self.epsilon * unit_l2(change), x.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the samples' shape."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


def dense_basis(x: Any, hidden_units: tuple[int, ...], noise_dim: int) -> Any:
    """Return k directions per sample, (batch, *shape, k), of dense layers."""
    shape = x.shape[1:]
    layers = [keras.layers.Flatten(name="flat")]
    for number, width in enumerate(hidden_units, 1):
        layers += [
            keras.layers.Dense(width, name=f"hidden{number}"),
            _leaky(f"hidden{number}_relu"),
        ]
    layers += [
        keras.layers.Dense(math.prod(shape) * noise_dim, name="directions"),
        keras.layers.Reshape((*shape, noise_dim), name="basis"),
    ]
    return chain(layers, x)


def unet_basis(x: Any, width: int, noise_dim: int) -> Any:
    """Return k directions per image, (batch, *shape, k), of a U-Net."""
    levels = [chain(_convolution(width, "down0"), x)]
    for number in range(1, UNET_HALVINGS + 1):
        filters = width * 2**number
        levels.append(
            chain(_convolution(filters, f"down{number}", strides=2), levels[-1])
        )
    maps = chain(_convolution(width * 2**UNET_HALVINGS, "bottom"), levels[-1])
    for number in reversed(range(UNET_HALVINGS)):
        filters = width * 2**number
        maps = chain(
            [
                keras.layers.UpSampling2D(name=f"up{number}"),
                *_convolution(filters, f"up{number}_first"),
            ],
            maps,
        )
        maps = keras.layers.Concatenate(name=f"skip{number}")([maps, levels[number]])
        maps = chain(_convolution(filters, f"up{number}_second"), maps)
    channels = x.shape[-1]
    last = [
        keras.layers.Conv2D(channels * noise_dim, 3, padding="same", name="directions"),
        keras.layers.Reshape((*x.shape[1:], noise_dim), name="basis"),
    ]
    return chain(last, maps)


def _convolution(filters: int, name: str, strides: int = 1) -> list[keras.layers.Layer]:
    return [
        keras.layers.Conv2D(filters, 3, strides, "same", name=name),
        _leaky(f"{name}_relu"),
    ]


def _leaky(name: str) -> keras.layers.Layer:
    return keras.layers.LeakyReLU(_SLOPE, name=name)
