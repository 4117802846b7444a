"""The paper's critic, layer by layer: a reference for the collapsed one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ..types import PerSample, Samples, Seeds
from .ascent import Critic
from .convolution import ConvolutionMINE

_FILTERS, _DENSE = 16, 512


class Tower(NamedTuple):
    """One of the two linear towers, a weight set per sample.

    Attributes:
        kernel: ``(batch, 4, 16)``, a 2 x 2 convolution on one channel.
        kernel_bias: ``(batch, 16)``.
        dense: ``(batch, h * w * 16, 512)``.
        dense_bias: ``(batch, 512)``.
        head: ``(batch, 512, H)``.
        head_bias: ``(batch, H)``.
    """

    kernel: tf.Tensor
    kernel_bias: tf.Tensor
    dense: tf.Tensor
    dense_bias: tf.Tensor
    head: tf.Tensor
    head_bias: tf.Tensor


class DeepState(NamedTuple):
    """Both towers, the output weights ``(batch, H)`` and the maps of x."""

    tower_x: Tower
    tower_y: Tower
    output: tf.Tensor
    maps_x: tf.Tensor


def respond(tower: Tower, maps: tf.Tensor) -> tf.Tensor:
    """Responses ``(batch, H, K)`` of a tower to maps ``(batch, h, w, K)``.

    conv 2x2 valid (16, linear) - flatten - dense 512 (linear) - dense H (linear),
    each map taken as a sample with one channel (SPEC 2.1.1, 2.1.2).
    """
    corners = (
        maps[:, :-1, :-1],
        maps[:, :-1, 1:],
        maps[:, 1:, :-1],
        maps[:, 1:, 1:],
    )
    patches = tf.stack(corners, axis=-1)  # (batch, h - 1, w - 1, K, 4)
    hidden = tf.einsum("bhwkp,bpf->bkhwf", patches, tower.kernel)
    hidden += tower.kernel_bias[:, None, None, None, :]
    flat = tf.reshape(hidden, (-1, maps.shape[3], int(np.prod(hidden.shape[2:]))))
    hidden = tf.matmul(flat, tower.dense) + tower.dense_bias[:, None, :]
    return tf.linalg.matrix_transpose(
        tf.matmul(hidden, tower.head) + tower.head_bias[:, None, :]
    )


def collapse(tower: Tower, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The one linear map ``(batch, H, h * w)`` and offset ``(batch, H)`` of a tower.

    The tower is affine, so its value at 0 is the offset and its values at the unit
    vectors, less the offset, are the columns of the map.
    """
    size = tower.head.shape[0]
    pixels = height * width
    basis = tf.eye(pixels, batch_shape=[size])
    offset = respond(tower, tf.zeros((size, height, width, 1)))[:, :, 0]
    columns = respond(tower, tf.reshape(basis, (size, height, width, pixels)))
    return columns - offset[:, :, None], offset


class DeepMINE(ConvolutionMINE):
    """MINE with the paper's uncollapsed critic, for parity on small inputs.

    Trained by plain gradient ascent on all of its weights. Same function class as
    :class:`ConvolutionMINE`, other path to it, several hundred times the work: 12
    million weights *per sample* for 28 x 28 maps.

    Args:
        trainer: bound, marginals and inner steps.
        hidden_units: H.
        seed: of the initial weights (Glorot uniform), the same for every sample.
        data_format: of the layer, as Keras has it.
    """

    def features(
        self,
        x: Samples,
        examples: Samples,
        outputs: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> tf.Tensor:
        del x, examples, outputs
        if observed.shape.rank != 4:
            raise ValueError(
                '`critic="deep"` works on 2-D feature maps (batch, height, width, '
                f"channels). Received maps of shape {tuple(observed.shape)}."
            )
        return tf.cast(self._channels_last(observed), tf.float32)

    def prepare(self, x: Samples, features: tf.Tensor, seeds: Seeds) -> DeepState:
        del x, seeds
        size = tf.shape(features)[0]
        towers = [self._tower(features.shape, size, 2 * i) for i in range(2)]
        output = self._glorot((self.hidden_units, 1), 99)[:, 0]
        return DeepState(*towers, tf.tile(output[None], (size, 1)), features)

    def value(self, state: DeepState, features: tf.Tensor) -> PerSample:
        return self._value(state, features, 0)

    def _value(
        self, state: DeepState, features: tf.Tensor, step: int | tf.Tensor
    ) -> PerSample:
        critic = Critic(
            a=respond(state.tower_x, state.maps_x),
            b=respond(state.tower_y, features),
            output=state.output,
            bias=tf.zeros_like(state.output),
        )
        return self.trainer.bound(self.trainer.pairing(*critic, step))

    def update(
        self, state: DeepState, features: tf.Tensor, iteration: tf.Tensor
    ) -> tuple[DeepState, PerSample, tf.Tensor]:
        num_steps = self.trainer.num_steps * self.trainer.rounds_at(iteration)
        _, state = tf.while_loop(
            lambda i, _: i < num_steps,
            lambda i, state: (i + 1, self._ascend(state, features, i)),
            (tf.constant(0), state),
        )
        # The plain rule, autodiff of the value: there are no responses to reuse here.
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = self._value(state, features, self.trainer.num_steps)
        return state, value, tape.gradient(value, features)

    def _ascend(
        self, state: DeepState, features: tf.Tensor, step: tf.Tensor
    ) -> DeepState:
        weights = tf.nest.flatten(state[:3])
        with tf.GradientTape() as tape:
            tape.watch(weights)
            # Every round anew, as those of the collapsed critic.
            value = self._value(state, features, step % self.trainer.num_steps)
        rate = self.trainer.learning_rate
        moved = [
            weight + rate * gradient
            for weight, gradient in zip(
                weights, tape.gradient(value, weights), strict=True
            )
        ]
        return DeepState(*tf.nest.pack_sequence_as(state[:3], moved), state.maps_x)

    def _tower(self, shape: tf.TensorShape, size: tf.Tensor, stream: int) -> Tower:
        flat = (shape[1] - 1) * (shape[2] - 1) * _FILTERS
        shapes = ((4, _FILTERS), (flat, _DENSE), (_DENSE, self.hidden_units))
        parts = []
        for index, part in enumerate(shapes):
            kernel = self._glorot(part, 10 * stream + index)
            parts += [kernel, tf.zeros(part[1:])]
        return Tower(*(tf.tile(p[None], (size, *([1] * p.shape.rank))) for p in parts))

    def _glorot(self, shape: tuple[int, int], stream: int) -> tf.Tensor:
        limit = (6.0 / sum(shape)) ** 0.5
        return tf.random.stateless_uniform(shape, (self.seed, stream), -limit, limit)
