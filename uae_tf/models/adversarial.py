"""The adversarial autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from .autoencoder import (
    Autoencoder,
    check_input_shape,
    check_latent_dim,
    sample_tail,
    vector_head,
)

# Fixes the prior's samples in `test_step`, so that `evaluate` repeats.
TEST_SEED = 0


@keras.saving.register_keras_serializable("uae_tf")
class AdversarialAutoencoder(Autoencoder):
    """Reconstruct samples through a code that a discriminator pulls to N(0, I).

    Each batch takes three steps, each with an optimizer of its own: encoder and
    decoder on the compiled loss; the discriminator on telling codes (label 0) from
    samples of N(0, I) (label 1); the encoder on passing for label 1. Logs hold
    `loss` (reconstruction), `discriminator_loss` and `encoder_loss` (cross-entropy,
    nats).

    Args:
        input_shape: Shape of one sample, such as (28, 28, 1) or (617,).
        latent_dim: Length of the code, >= 1. Defaults to 2, the published code's
            value. The paper's SVHN error needs a much larger one (SPEC 3.7).
        code_activation: Activation of the code. Defaults to `"linear"`. The published
            `"sigmoid"` keeps the code in (0, 1), where it can never match N(0, I).
        hidden_units: Width of the two hidden layers of each part. Defaults to 1000
            (SPEC 3.7).
        seed: Seed of the samples of N(0, I). Defaults to None: from Keras's global
            seed.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape), float in [0, 1].

    Returns:
        (batch, *input_shape), in (0, 1).

    Raises:
        ValueError: `input_shape`, `latent_dim` or `hidden_units` is not made of
            positive integers.

    Randomness:
        Initial weights from Keras's global seed; the prior's samples from `seed`.
        `evaluate` draws the same prior samples each time.

    Example:
        >>> model = AdversarialAutoencoder((8, 8, 1), latent_dim=4, hidden_units=32)
        >>> model.encoder.output_shape, model.discriminator.output_shape
        ((None, 4), (None, 1))

    Reference:
        SPEC 3.7. The published discriminator ends in a sigmoid; here it returns
        logits and the cross-entropy takes those, which is the same loss.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        latent_dim: int = 2,
        code_activation: str = "linear",
        hidden_units: int = 1000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        shape = check_input_shape(input_shape)
        units = check_latent_dim(latent_dim)
        if hidden_units < 1:
            raise ValueError(
                "hidden_units must be a positive integer. "
                f"Received: hidden_units={hidden_units}."
            )
        dense = keras.layers.Dense
        super().__init__(
            shape,
            [
                *vector_head(shape),
                *_hidden(hidden_units, "encoder"),
                dense(units, activation=code_activation, name="code"),
            ],
            [
                *_hidden(hidden_units, "decoder"),
                dense(math.prod(shape), activation="sigmoid", name="pixels"),
                *sample_tail(shape),
            ],
            **kwargs,
        )
        self.discriminator = keras.Sequential(
            [
                keras.Input(shape=(units,)),
                *_hidden(hidden_units, "discriminator"),
                dense(1, name="logit"),
            ],
            name="discriminator",
        )
        self.discriminator.trainable = self.trainable
        self.latent_dim = units
        self.code_activation = code_activation
        self.hidden_units = hidden_units
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.discriminator_tracker = keras.metrics.Mean(name="discriminator_loss")
        self.encoder_tracker = keras.metrics.Mean(name="encoder_loss")

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: Any = "mse",
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        encoder_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Set the three optimizers and the reconstruction loss.

        Args:
            optimizer: Optimizer of the reconstruction step.
            loss: Reconstruction loss.
            discriminator_optimizer: Defaults to None: `optimizer`'s settings.
            encoder_optimizer: Defaults to None: `optimizer`'s settings.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        optimizer = keras.optimizers.get(optimizer)
        # Copied first: super().compile may wrap `optimizer` for mixed precision.
        self.discriminator_optimizer = discriminator_optimizer or _copy(optimizer)
        self.encoder_optimizer = encoder_optimizer or _copy(optimizer)
        super().compile(optimizer=optimizer, loss=loss, **kwargs)
        # Now, because Keras would build `optimizer` for the discriminator as well.
        self.optimizer.build(self._reconstruction_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.encoder_optimizer.build(self.encoder.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile_from_config` needs to restore all three optimizers."""
        config = super().get_compile_config()
        for name in ("discriminator_optimizer", "encoder_optimizer"):
            if config:
                config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the settings of `get_compile_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take the three steps on one batch."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        outputs = self.reconstruction_step(x, y, sample_weight)
        self.discriminator_step(x)
        self.encoder_step(x)
        return self.compute_metrics(x, y, outputs, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch without a step."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        outputs = self(x, training=False)
        loss = self.compute_loss(x, y, outputs, sample_weight, training=False)
        self._update(self._loss_metric, loss * _replicas(), x)
        codes = self.encoder(x, training=False)
        self._update(self.discriminator_tracker, self._told_apart(codes, TEST_SEED), x)
        self._update(self.encoder_tracker, self._passed_for_prior(codes), x)
        return self.compute_metrics(x, y, outputs, sample_weight=sample_weight)

    def reconstruction_step(
        self,
        x: tf.Tensor,
        y: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Move encoder and decoder to reconstruct; return the outputs before it."""
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x, y, outputs, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        descend(self.optimizer, tape, scaled, self._reconstruction_variables)
        # Of a replica's loss `compute_loss` returns its share, as Keras's does.
        self._update(self._loss_metric, loss * _replicas(), x)
        return outputs

    def discriminator_step(self, x: tf.Tensor) -> None:
        """Move the discriminator to tell codes from samples of the prior."""
        codes = self.encoder(x, training=False)
        with tf.GradientTape() as tape:
            loss = self._told_apart(codes, self.seed_generator)
            scaled = self.discriminator_optimizer.scale_loss(loss / _replicas())
        variables = self.discriminator.trainable_variables
        descend(self.discriminator_optimizer, tape, scaled, variables)
        self._update(self.discriminator_tracker, loss, x)

    def encoder_step(self, x: tf.Tensor) -> None:
        """Move the encoder to make its codes pass for samples of the prior."""
        with tf.GradientTape() as tape:
            loss = self._passed_for_prior(self.encoder(x, training=True))
            scaled = self.encoder_optimizer.scale_loss(loss / _replicas())
        descend(self.encoder_optimizer, tape, scaled, self.encoder.trainable_variables)
        self._update(self.encoder_tracker, loss, x)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "latent_dim": self.latent_dim,
            "code_activation": self.code_activation,
            "hidden_units": self.hidden_units,
            "seed": self.seed,
        }

    @property
    def _reconstruction_variables(self) -> list[keras.Variable]:
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    @property
    def _loss_metric(self) -> keras.metrics.Metric:
        return next(metric for metric in self.metrics if metric.name == "loss")

    def _told_apart(self, codes: tf.Tensor, seed: Any) -> tf.Tensor:
        prior: Any = keras.random.normal(tf.shape(codes), dtype=codes.dtype, seed=seed)
        logits = self.discriminator(tf.concat([codes, prior], axis=0))
        is_prior = tf.concat([tf.zeros_like(codes), tf.ones_like(prior)], axis=0)
        return _cross_entropy(is_prior[:, :1], logits)

    def _passed_for_prior(self, codes: tf.Tensor) -> tf.Tensor:
        logits = self.discriminator(codes)
        return _cross_entropy(tf.ones_like(logits), logits)

    @staticmethod
    def _update(metric: keras.metrics.Metric, value: tf.Tensor, x: tf.Tensor) -> None:
        # Weighted by the batch size: the last batch of an epoch may be smaller.
        metric.update_state(value, sample_weight=tf.shape(x)[0])


def _hidden(units: int, name: str) -> list[keras.layers.Layer]:
    return [
        keras.layers.Dense(units, activation="relu", name=f"{name}{number}")
        for number in (1, 2)
    ]


def _copy(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return type(optimizer).from_config(optimizer.get_config())


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    losses = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.cast(labels, tf.float32), tf.cast(logits, tf.float32)
    )
    return tf.reduce_mean(losses)


def _replicas() -> int:
    # Keras's optimizers add up the gradients of the replicas.
    return tf.distribute.get_strategy().num_replicas_in_sync


def descend(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: list[keras.Variable],
) -> None:
    """Take one step of `optimizer` on `variables`; without variables do nothing.

    Args:
        optimizer: Built for these variables.
        tape: That `loss` was recorded on.
        loss: A scalar, scaled by `optimizer.scale_loss`.
        variables: Those that move.
    """
    # Of a frozen part there are none, which Keras's optimizers refuse.
    if not variables:
        return
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
