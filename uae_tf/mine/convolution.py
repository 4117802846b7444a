"""Views of a sample: the feature maps of the model's first convolution."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from ..ops import squared_norm
from ..types import PerSample, Samples, Seeds
from .ascent import Critic, CriticTrainer
from .layers import first_convolution
from .similarity import Similarity


class ConvolutionState(NamedTuple):
    """Per-sample state: the critic and what does not move during an attack.

    Attributes:
        critic: responses of the last iterate.
        b_weights: ``(batch, H, d)``, B. (A is only ever needed through ``critic.a``.)
        gram_x: ``(batch, K, K)``, inner products of the maps of x.
        scale: ``(batch, 1, 1)``, brings the maps of x to unit mean square norm.
    """

    critic: Critic
    b_weights: tf.Tensor
    gram_x: tf.Tensor
    scale: tf.Tensor


class ConvolutionMINE(Similarity):
    """MINE between the K maps of x and of x + delta after the first convolution.

    A pair is one map of x with the same map of x + delta. Maps are used as the layer
    returns them, its activation included (SPEC 2.1.6), divided by one number per
    sample, which leaves mutual information unchanged and gives the critic's learning
    rate the same meaning for every model.

    Args:
        trainer: inner steps of the critic.
        hidden_units: H, width of the critic (10 in the paper's network).
        seed: of the critic's initial weights, the same for every sample.
        data_format: of the layer, as Keras has it.
    """

    def __init__(
        self,
        trainer: CriticTrainer,
        hidden_units: int,
        seed: int,
        data_format: str = "channels_last",
    ) -> None:
        self.trainer = trainer
        self.hidden_units = hidden_units
        self.seed = seed
        self.data_format = data_format

    def observed_layer(self, model: keras.Model) -> keras.Layer | None:
        return first_convolution(model)

    def features(
        self,
        x: Samples,
        examples: Samples,
        outputs: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> tf.Tensor:
        del x, outputs
        # (batch, d, K): maps keep the channel axis last, so no transpose is paid for.
        maps = self._channels_last(observed)
        pixels = int(tf.TensorShape(maps.shape[1:-1]).num_elements())
        return tf.cast(tf.reshape(maps, (-1, pixels, maps.shape[-1])), tf.float32)

    def _channels_last(self, observed: tf.Tensor) -> tf.Tensor:
        if self.data_format == "channels_last":
            return observed
        return keras.ops.moveaxis(observed, 1, -1)

    def prepare(
        self, x: Samples, features: tf.Tensor, seeds: Seeds
    ) -> ConvolutionState:
        del x, seeds
        size, (pixels, pairs) = tf.shape(features)[0], features.shape[1:]
        mean_square = squared_norm(features) / pairs
        # A blank sample has no scale of its own; a huge one would blow up x + delta.
        is_blank = mean_square < 1e-12
        scale = tf.math.rsqrt(tf.where(is_blank, 1.0, mean_square))[:, None, None]
        maps = features * scale
        weights = initial_weights(self.hidden_units, pixels, self.seed)
        critic = Critic(
            a=tf.einsum("hd,bdk->bhk", weights[0], maps),
            b=tf.einsum("hd,bdk->bhk", weights[1], maps),
            output=tf.tile(weights[2][None], (size, 1)),
            bias=tf.zeros((size, self.hidden_units)),
        )
        b_weights = tf.tile(weights[1][None], (size, 1, 1))
        gram = tf.matmul(maps, maps, transpose_a=True)
        return ConvolutionState(critic, b_weights, gram, scale)

    def update(
        self, state: ConvolutionState, features: tf.Tensor, iteration: tf.Tensor
    ) -> tuple[ConvolutionState, PerSample, tf.Tensor]:
        # The scale goes onto K x K and K x H numbers: the maps themselves are large,
        # and a scaled copy of them would cost as much as a product.
        scale = state.scale
        critic = state.critic._replace(b=tf.matmul(state.b_weights, features) * scale)
        gram = tf.matmul(features, features, transpose_a=True) * tf.square(scale)
        ascent = self.trainer(critic, state.gram_x, gram, iteration)
        b_weights = state.b_weights + tf.matmul(
            ascent.b_step * scale, features, transpose_b=True
        )
        gradient = tf.matmul(b_weights, ascent.b_gradient * scale, transpose_a=True)
        state = ConvolutionState(ascent.critic, b_weights, state.gram_x, scale)
        return state, ascent.value, gradient

    def value(self, state: ConvolutionState, features: tf.Tensor) -> PerSample:
        responses = tf.matmul(state.b_weights, features * state.scale)
        critic = state.critic._replace(b=responses)
        return self.trainer.evaluate(critic)[0]


def initial_weights(
    hidden_units: int, dimension: int, seed: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Initial A and B ``(H, d)`` and w ``(H,)`` of a collapsed critic.

    Entries of A and B are standard normal, which gives responses of unit variance on
    views of unit norm; w has variance ``1 / H``.
    """
    draw = tf.random.stateless_normal
    return (
        draw((hidden_units, dimension), (seed, 0)),
        draw((hidden_units, dimension), (seed, 1)),
        draw((hidden_units,), (seed, 2)) * hidden_units**-0.5,
    )
