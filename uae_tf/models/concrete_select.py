"""The layer that learns which features to keep."""

from __future__ import annotations

import math
import operator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("uae_tf")
class ConcreteSelect(keras.layers.Layer):
    """Select k of d features by a relaxation that hardens as it cools.

    Each of the k output units holds logits over the d inputs. In training it returns a
    random mixture of all inputs, `softmax((logits + Gumbel noise) / temperature)`, one
    draw a batch; at inference the one input of its largest logit, without noise. At a
    high temperature every feature gets a share of the gradient, at a low one the
    mixture is all but a choice.

    The layer never changes its temperature in a call: whoever trains it calls `anneal`
    or `anneal_by_step`, as `ConcreteAutoencoder` does at every batch.

    Args:
        k: Number of features to select, >= 1. Two units may choose the same one.
        start_temperature: Temperature before training, > 0. Defaults to 10 (SPEC 5.1).
        end_temperature: Temperature after it, in (0, start_temperature]. Defaults to
            0.1 (SPEC 5.1).
        embedding_dim: None for free logits (the published layer). A number p makes them
            `E W + b`, E of shape (k, p), W (p, d): the indirect parameterisation, in
            which units share what they learn about a feature.
        seed: Seed of initial logits and noise. Defaults to None: Keras's global seed.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, d) numbers; integers and bool become the compute dtype.
        training: bool; False is deterministic.

    Returns:
        (batch, k), of the compute dtype for integers, else of the inputs' dtype.

    Raises:
        ValueError: `k` or `embedding_dim` is no positive integer, a temperature is out
            of range, the inputs are no vectors, or the selection is asked for before
            the number of features is known.

    Cost:
        O(k d) beside the product of a dense layer with k units; O(batch k) at
        inference.

    Example:
        >>> layer = ConcreteSelect(2, seed=0)
        >>> x = np.arange(12, dtype="float32").reshape(2, 6)
        >>> np.array_equal(layer(x), x[:, layer.selected_features])
        True
        >>> layer.anneal(1.0)
        >>> round(float(layer.temperature), 3)
        0.1

    Reference:
        Balin, Abid and Zou, ICML 2019; SPEC 5.1. The published layer cools itself at
        every call, validation included (SPEC 5.4). Indirect: Nilsson et al., ICML 2024;
        SPEC 5.10.
    """

    def __init__(
        self,
        k: int,
        start_temperature: float = 10.0,
        end_temperature: float = 0.1,
        embedding_dim: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.k = check_count("k", k)
        if not 0.0 < end_temperature <= start_temperature < math.inf:
            raise ValueError(
                "Temperatures must satisfy 0 < end_temperature <= start_temperature. "
                f"Received: start_temperature={start_temperature}, "
                f"end_temperature={end_temperature}."
            )
        self.start_temperature = start_temperature
        self.end_temperature = end_temperature
        self.embedding_dim = (
            None
            if embedding_dim is None
            else check_count("embedding_dim", embedding_dim)
        )
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = input_shape[-1]
        if len(input_shape) != 2 or size is None:
            raise ValueError(
                "ConcreteSelect needs vectors (batch, d) with a known d. Received "
                f"inputs of shape {tuple(input_shape)}. Flatten images first."
            )
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: size})
        start = keras.initializers.Constant(self.start_temperature)
        self.temperature = self._weight("temperature", (), start, trainable=False)
        if self.embedding_dim is None:
            initializer = keras.initializers.GlorotNormal(self.seed)
            self._logits = self._weight("logits", (self.k, size), initializer)
            return
        # Products of the two have the spread of the free logits' start.
        self._embeddings = self._weight(
            "embeddings",
            (self.k, self.embedding_dim),
            keras.initializers.RandomNormal(0.0, 1.0, self.seed),
        )
        self._kernel = self._weight(
            "kernel",
            (self.embedding_dim, size),
            keras.initializers.GlorotNormal(
                None if self.seed is None else self.seed + 1
            ),
        )
        self._bias = self._weight("bias", (size,), "zeros")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not inputs.dtype.is_floating:
            # Or the shares of the features would be rounded to 0.
            inputs = tf.cast(inputs, self.compute_dtype)
        if not training:
            return tf.gather(inputs, tf.argmax(self.logits, axis=-1), axis=-1)
        selection = tf.cast(self._sample(), inputs.dtype)
        return tf.matmul(inputs, selection, transpose_b=True)

    def anneal(self, progress: float | tf.Tensor) -> None:
        """Set the temperature to `start (end / start)^progress`.

        Args:
            progress: Share of the training that is done, in [0, 1]; clipped to it. A
                tensor inside a compiled training step.
        """
        ratio = math.log(self.end_temperature / self.start_temperature)
        # Single precision cannot tell the steps of a very long training apart.
        done = tf.clip_by_value(tf.cast(progress, tf.float64), 0.0, 1.0)
        temperature = self.start_temperature * tf.exp(ratio * done)
        self.temperature.assign(tf.cast(temperature, tf.float32))

    def anneal_by_step(self, num_steps: int | tf.Tensor) -> None:
        """Go on by one of the `num_steps` equal steps of a whole annealing.

        How far it has come is read off the temperature, which is saved, restored and
        reset with the other weights.

        Args:
            num_steps: >= 1. A tensor inside a compiled training step.
        """
        ratio = math.log(self.end_temperature / self.start_temperature)
        now = tf.cast(tf.convert_to_tensor(self.temperature), tf.float64)
        progress = tf.math.divide_no_nan(
            tf.math.log(now / self.start_temperature), tf.constant(ratio, tf.float64)
        )
        num_steps = tf.cast(num_steps, tf.float64)
        # Whole steps: the rounding errors of a temperature do not add up.
        self.anneal((tf.round(progress * num_steps) + 1.0) / num_steps)

    @property
    def logits(self) -> tf.Tensor:
        """Logits of the choice, `(k, d)` float32."""
        if not self.built:
            raise ValueError(
                "There is no selection yet: the number of features is not known. Call "
                "the model on data or fit it, or pass `input_shape` to it, first."
            )
        if self.embedding_dim is None:
            return tf.convert_to_tensor(self._logits)
        return tf.matmul(self._embeddings, self._kernel) + self._bias

    @property
    def probabilities(self) -> np.ndarray:
        """Chance of each feature to be a unit's choice, `(k, d)`; rows sum to 1."""
        return tf.nn.softmax(self.logits).numpy()

    @property
    def selected_features(self) -> np.ndarray:
        """The feature each unit chooses at inference, `(k,)` int64, maybe twice."""
        return tf.argmax(self.logits, axis=-1).numpy()

    @property
    def num_distinct(self) -> int:
        """Number of different features among the selected; k without duplicates."""
        return len(np.unique(self.selected_features))

    @property
    def confidence(self) -> float:
        """Mean over units of their largest probability: 1 where all have decided."""
        return float(self.probabilities.max(axis=-1).mean())

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.k)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "k": self.k,
            "start_temperature": self.start_temperature,
            "end_temperature": self.end_temperature,
            "embedding_dim": self.embedding_dim,
            "seed": self.seed,
        }

    def _sample(self) -> tf.Tensor:
        """One draw of the relaxed choice, `(k, d)` float32."""
        logits = self.logits
        uniform = keras.random.uniform(
            logits.shape, keras.config.epsilon(), 1.0, "float32", self.seed_generator
        )
        gumbel = -tf.math.log(-tf.math.log(uniform))
        return tf.nn.softmax((logits + gumbel) / self.temperature)

    def _weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: Any,
        trainable: bool = True,
    ) -> Any:
        # Half precision cannot tell late temperatures and logits apart.
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            trainable=trainable,
            dtype="float32",
            autocast=False,
        )


def check_count(name: str, value: int) -> int:
    """Return `value` if it is a positive integer.

    Raises:
        ValueError: It is not.
    """
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")
    return count
