"""Penalties that keep the activations of an autoencoder sparse."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Lower end of the clip in the published code; also keeps the logarithm finite.
SMALLEST_ACTIVATION = 1e-10
REDUCTIONS = ("sum", "batch_mean")


def l1_penalty(activations: tf.Tensor, reduction: str = "sum") -> tf.Tensor:
    """Sum the absolute activations, `sum_ij |a_ij|`.

    Args:
        activations: (batch, ...) float tensor.
        reduction: `"sum"` over everything, batch included: the convention of the
            stand-alone Keras that the paper's code ran on. `"batch_mean"` divides
            by the batch size, as Keras 3 does with activity regularizers.

    Returns:
        Scalar tensor of Keras's `floatx`, float32 unless set otherwise.

    Raises:
        ValueError: Unknown `reduction`.

    Example:
        >>> a = tf.constant([[1.0, -2.0], [0.0, 3.0]])
        >>> float(l1_penalty(a)), float(l1_penalty(a, "batch_mean"))
        (6.0, 3.0)
    """
    _check_reduction(reduction)
    total = tf.reduce_sum(tf.abs(_to_floatx(activations)))
    if reduction == "sum":
        return total
    return total / tf.cast(tf.shape(activations)[0], total.dtype)


def kl_sparsity(activations: tf.Tensor, target: float = 0.1) -> tf.Tensor:
    """Compare the mean activation of each unit with a target, by KL divergence.

    `mean_j [t ln(t / r_j) + (1 - t) ln((1 - t) / (1 - r_j))]`, where `r_j` is the mean
    of unit j over the batch, clipped away from 0 and 1.

    Args:
        activations: (batch, units) float tensor in [0, 1].
        target: Wanted mean activation t, in (0, 1). Defaults to 0.1 (SPEC 3.4).

    Returns:
        Scalar tensor of Keras's `floatx`, 0 where every unit's mean activation is
        `target`.

    Raises:
        ValueError: `target` is out of range.

    Example:
        >>> round(float(kl_sparsity(tf.fill((4, 3), 0.5))), 4)
        0.3681

    Reference:
        SPEC 3.4. The published code clips to [1e-10, 1], which is infinite for a
        unit that is always on; here the upper end stays below 1 as well.
    """
    _check_target(target)
    mean = tf.reduce_mean(_to_floatx(activations), axis=0)
    mean = tf.clip_by_value(mean, SMALLEST_ACTIVATION, 1.0 - 1e-7)
    on = target * tf.math.log(target / mean)
    off = (1.0 - target) * tf.math.log((1.0 - target) / (1.0 - mean))
    return tf.reduce_mean(on + off)


@keras.saving.register_keras_serializable("uae_tf")
class SparsityPenalty(keras.layers.Layer):
    """Pass activations through unchanged and add their sparsity penalty to the loss.

    `l1 * sum|a| + kl_weight * mean_j KL(target || mean activation of unit j)`. A layer
    and not an `activity_regularizer`, because Keras 3 divides those by the batch
    size, which neither term of the paper's loss is.

    Args:
        l1: Weight of the L1 term, >= 0. Defaults to 1e-7 (SPEC 3.4).
        kl_weight: Weight of the KL term, >= 0. Defaults to 0, no such term.
        target: Wanted mean activation of the KL term, in (0, 1). Defaults to 0.1.
        reduction: Convention of the L1 term, see `l1_penalty`. Defaults to `"sum"`.

    Call arguments:
        activations: (batch, units), in [0, 1] if `kl_weight` is positive.

    Returns:
        `activations`.

    Raises:
        ValueError: A weight is negative, `target` is outside (0, 1), or `reduction`
            is unknown.

    Example:
        >>> layer = SparsityPenalty(l1=0.5)
        >>> _ = layer(tf.ones((2, 3)))
        >>> float(sum(layer.losses))
        3.0

    Reference:
        SPEC 3.4, 10.2.
    """

    def __init__(
        self,
        l1: float = 1e-7,
        kl_weight: float = 0.0,
        target: float = 0.1,
        reduction: str = "sum",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("l1", l1), ("kl_weight", kl_weight)):
            if not value >= 0:
                raise ValueError(
                    f"{name} must be at least 0. Received: {name}={value}."
                )
        _check_target(target)
        _check_reduction(reduction)
        self.l1 = l1
        self.kl_weight = kl_weight
        self.target = target
        self.reduction = reduction

    def call(self, activations: tf.Tensor) -> tf.Tensor:
        """Return `activations` after adding their penalty to the loss."""
        if self.l1:
            self.add_loss(self.l1 * l1_penalty(activations, self.reduction))
        if self.kl_weight:
            self.add_loss(self.kl_weight * kl_sparsity(activations, self.target))
        return activations

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return `input_shape`: the layer changes nothing."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "l1": self.l1,
            "kl_weight": self.kl_weight,
            "target": self.target,
            "reduction": self.reduction,
        }


def _to_floatx(tensor: tf.Tensor) -> tf.Tensor:
    # A sum over a batch of images overflows float16, and 1e-10 is 0 there.
    return tf.cast(tensor, keras.config.floatx())


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        raise ValueError(
            "target is a mean activation and must lie in (0, 1). "
            f"Received: target={target}."
        )


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction must be one of {', '.join(map(repr, REDUCTIONS))}. "
            f"Received: reduction={reduction!r}."
        )
