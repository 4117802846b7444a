"""The interface every similarity fills: one number I(x, x + delta) per sample."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..fixed import FixedOnceCompiled
from ..types import PerSample, Samples, Seeds, State


class Similarity(FixedOnceCompiled):
    """How similar ``x + delta`` still is to ``x``, differentiably, per sample.

    An attack calls, in this order: :meth:`for_model` when it is made and again before
    it is compiled; :meth:`observed_layer` once; :meth:`features` and :meth:`prepare`
    once per batch at ``delta = 0``; then, in every iteration, :meth:`features` and
    :meth:`update`.

    To add a similarity of your own, override :meth:`value` (and :meth:`features` when
    it looks at something else than the samples themselves); :meth:`update` then
    differentiates ``value`` for you. Once an attack has run with it, its settings are
    compiled and fixed.

    Raises:
        AttributeError: from an assignment to a setting that is fixed.

    Example:
        >>> import tensorflow as tf
        >>> class NegativeL1(Similarity):
        ...     def features(self, x, examples, outputs, observed):
        ...         return examples - x
        ...     def value(self, state, features):
        ...         return -tf.reduce_sum(tf.abs(features), axis=1)
        >>> x = tf.zeros((2, 3))
        >>> f = NegativeL1().features(x, x + 1.0, None, None)
        >>> NegativeL1().value(None, f).numpy().tolist()
        [-3.0, -3.0]
    """

    def for_model(self, model: keras.Model) -> Similarity:
        """The similarity to use against ``model``: itself, unless it must choose."""
        del model
        return self

    def observed_layer(self, model: keras.Model) -> keras.Layer | None:
        """The layer whose output :meth:`features` wants to see, if any."""
        del model
        return None

    def features(
        self,
        x: Samples,
        examples: Samples,
        outputs: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> tf.Tensor:
        """What the similarity is a function of, differentiable in ``examples``.

        Args:
            x: ``(batch, *shape)`` clean samples.
            examples: ``(batch, *shape)`` perturbed samples.
            outputs: the attacked model's outputs for ``examples``.
            observed: output of the observed layer for ``examples``.

        Returns:
            ``(batch, ...)``.
        """
        del x, outputs, observed
        return examples

    def prepare(self, x: Samples, features: tf.Tensor, seeds: Seeds) -> State:
        """State at the start of an attack.

        Args:
            x: ``(batch, *shape)`` clean samples.
            features: :meth:`features` at ``examples = x``.
            seeds: ``(batch, 2)`` one seed per sample.

        Returns:
            A structure of tensors, each with a leading batch axis.
        """
        del seeds, features
        return x

    def value(self, state: State, features: tf.Tensor) -> PerSample:
        """The similarity, ``(batch,)``."""
        raise NotImplementedError(f"{type(self).__name__} must override `value`.")

    def update(
        self, state: State, features: tf.Tensor, iteration: tf.Tensor
    ) -> tuple[State, PerSample, tf.Tensor]:
        """Adapts the state to the new features, then evaluates and differentiates.

        Args:
            state: of the iterate before.
            features: :meth:`features` of this iterate.
            iteration: scalar int32, 0 at the start noise.

        Returns:
            The new state, the similarity ``(batch,)``, and its gradient with respect
            to ``features`` (same shape as ``features``).

        Raises:
            ValueError: :meth:`value` does not return one number per sample.
        """
        del iteration
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = self.value(state, features)
        if value.shape.rank not in (None, 1):
            raise ValueError(
                f"{type(self).__name__}.value must return one number per sample, shape "
                f"(batch,). Received: a value of shape {tuple(value.shape)}"
            )
        return state, value, tape.gradient(value, features)

    def get_config(self) -> dict[str, Any]:
        """Settings, as :meth:`from_config` takes them."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Similarity:
        """The similarity with these settings."""
        return cls(**config)

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({settings})"
