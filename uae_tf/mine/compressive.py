"""Views of a sample: K Gaussian compressive measurements, never drawn explicitly."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ..ops import fold_in, per_sample_normal
from ..types import PerSample, Samples, Seeds
from .ascent import Critic, CriticTrainer
from .convolution import initial_weights
from .gaussian import MAX_CORRELATION, CorrelationSimilarity

_STREAM = 3


class CompressiveState(NamedTuple):
    """Per-sample state; p and the number of features appear nowhere in it.

    With ``z`` and ``e`` the two independent Gaussian matrices of a sample, the views
    are ``u = z / |z|`` and ``v = (rho z + s e) / |.|``, ``s = sqrt(1 - rho^2)``, row by
    row. Inner products of views are then combinations of three fixed K x K matrices.

    Attributes:
        critic: responses of the last iterate.
        z_responses: ``(batch, H, K)``, ``B z_k``.
        e_responses: ``(batch, H, K)``, ``B e_k``.
        z_gram: ``(batch, K, K)``, ``z_j . z_k``.
        cross_gram: ``(batch, K, K)``, ``z_j . e_k``.
        e_gram: ``(batch, K, K)``, ``e_j . e_k``.
        u_gram: ``(batch, K, K)``, ``u_j . u_k``.
    """

    critic: Critic
    z_responses: tf.Tensor
    e_responses: tf.Tensor
    z_gram: tf.Tensor
    cross_gram: tf.Tensor
    e_gram: tf.Tensor
    u_gram: tf.Tensor


class CompressiveMINE(CorrelationSimilarity):
    """MINE between K Gaussian measurements of x and of x + delta.

    The paper draws K matrices M_k of shape (d, p), measures ``M_k x`` and
    ``M_k (x + delta)`` and standardises each measurement over its p entries. That pair
    is Gaussian with a 2 x 2 covariance given by three inner products, so it is drawn
    from that covariance: the same distribution at O(d + K p) in place of O(K d p). The
    two Gaussian matrices of a sample stay fixed during its attack, as measurement
    matrices of a device would; the whole training then runs on K x K matrices.

    Args:
        trainer: inner steps of the critic.
        hidden_units: H, width of the critic.
        num_projections: K (96 in the paper's Table 2; 500 in the published code).
        projection_dimension: p (128 in the published code).
        seed: of the critic's initial weights, the same for every sample.

    Randomness:
        The measurements come from the sample's own seed.

    Reference:
        SPEC 2.1.5, 4.5, 4.6.
    """

    def __init__(
        self,
        trainer: CriticTrainer,
        hidden_units: int,
        num_projections: int,
        projection_dimension: int,
        seed: int,
    ) -> None:
        self.trainer = trainer
        self.hidden_units = hidden_units
        self.num_projections = num_projections
        self.projection_dimension = projection_dimension
        self.seed = seed

    def prepare(
        self, x: Samples, features: tf.Tensor, seeds: Seeds
    ) -> CompressiveState:
        del x, features
        size, shape = tf.shape(seeds)[0], self._view_shape()
        # Centring the rows once is all of the standardisation that is not a division.
        noise = per_sample_normal(fold_in(seeds, _STREAM), (2, *shape))
        noise -= tf.reduce_mean(noise, axis=-1, keepdims=True)
        z, e = noise[:, 0], noise[:, 1]
        z_gram, e_gram = _gram(z, z), _gram(e, e)
        inverse_norms = tf.math.rsqrt(tf.linalg.diag_part(z_gram))
        weights = initial_weights(
            self.hidden_units, self.projection_dimension, self.seed
        )
        critic = Critic(
            a=_respond(weights[0], z) * inverse_norms[:, None, :],
            b=tf.zeros((size, self.hidden_units, self.num_projections)),
            output=tf.tile(weights[2][None], (size, 1)),
            bias=tf.zeros((size, self.hidden_units)),
        )
        return CompressiveState(
            critic=critic,
            z_responses=_respond(weights[1], z),
            e_responses=_respond(weights[1], e),
            z_gram=z_gram,
            cross_gram=_gram(z, e),
            e_gram=e_gram,
            u_gram=z_gram * _outer(inverse_norms),
        )

    def update(
        self, state: CompressiveState, features: tf.Tensor, iteration: tf.Tensor
    ) -> tuple[CompressiveState, PerSample, tf.Tensor]:
        rho, residual = (m[:, None, None] for m in _mixing(features))
        inverse_norms = _inverse_norms(state, features)
        # Row j, column k: (rho z_j + s e_j) . z_k, and the same against e_k.
        with_z = rho * state.z_gram + residual * tf.linalg.matrix_transpose(
            state.cross_gram
        )
        with_e = rho * state.cross_gram + residual * state.e_gram
        v_gram = (rho * with_z + residual * with_e) * _outer(inverse_norms)
        critic = state.critic._replace(b=_responses(state, features))
        ascent = self.trainer(critic, state.u_gram, v_gram, iteration)
        moved = ascent.b_step * inverse_norms[:, None, :]
        state = state._replace(
            critic=ascent.critic,
            z_responses=state.z_responses + tf.matmul(moved, with_z),
            e_responses=state.e_responses + tf.matmul(moved, with_e),
        )
        with tf.GradientTape() as tape:
            tape.watch(features)
            responses = _responses(state, features)
        gradient = tape.gradient(responses, features, ascent.b_gradient)
        return state, ascent.value, gradient

    def value(self, state: CompressiveState, features: tf.Tensor) -> PerSample:
        critic = state.critic._replace(b=_responses(state, features))
        return self.trainer.evaluate(critic)[0]

    def _view_shape(self) -> tuple[int, int]:
        return self.num_projections, self.projection_dimension


def _mixing(rho: PerSample) -> tuple[tf.Tensor, tf.Tensor]:
    rho = tf.clip_by_value(rho, -MAX_CORRELATION, MAX_CORRELATION)
    return rho, tf.sqrt(1.0 - tf.square(rho))


def _inverse_norms(state: CompressiveState, features: PerSample) -> tf.Tensor:
    rho, residual = (m[:, None] for m in _mixing(features))
    squares = (
        tf.square(rho) * tf.linalg.diag_part(state.z_gram)
        + 2.0 * rho * residual * tf.linalg.diag_part(state.cross_gram)
        + tf.square(residual) * tf.linalg.diag_part(state.e_gram)
    )
    return tf.math.rsqrt(tf.maximum(squares, 1e-12))


def _responses(state: CompressiveState, features: PerSample) -> tf.Tensor:
    """``B v_k`` for the current correlation, ``(batch, H, K)``."""
    rho, residual = (m[:, None, None] for m in _mixing(features))
    mixed = rho * state.z_responses + residual * state.e_responses
    return mixed * _inverse_norms(state, features)[:, None, :]


def _gram(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    return tf.matmul(rows, columns, transpose_b=True)


def _respond(weights: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.einsum("hp,bkp->bhk", weights, rows)


def _outer(values: tf.Tensor) -> tf.Tensor:
    return values[:, :, None] * values[:, None, :]
