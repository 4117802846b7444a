"""Reductions that keep the batch axis: one number per sample."""

import numpy as np
import tensorflow as tf

from ..types import PerSample, Samples


def flatten_samples(x: Samples) -> tf.Tensor:
    """Flattens all axes but the first: ``(batch, *shape)`` -> ``(batch, features)``."""
    if x.shape[1:].is_fully_defined():
        return tf.reshape(x, (-1, int(np.prod(x.shape[1:]))))
    shape = tf.shape(x)
    return tf.reshape(x, (shape[0], tf.reduce_prod(shape[1:])))


def expand_like(values: PerSample, x: Samples) -> tf.Tensor:
    """Appends axes to ``(batch,)`` values so that they broadcast against ``x``."""
    return tf.reshape(values, (-1, *([1] * (x.shape.rank - 1))))


def squared_norm(x: Samples) -> PerSample:
    """Sum of squares of each sample, ``(batch,)``."""
    return tf.reduce_sum(tf.square(flatten_samples(x)), axis=1)


def l2_norm(x: Samples) -> PerSample:
    """Euclidean norm of each sample, ``(batch,)``, with gradient 0 at the origin."""
    squares = squared_norm(x)
    # The square root has an infinite slope at 0; a sample that is reconstructed
    # perfectly must not turn its whole gradient into NaN.
    # Zeros and ones of its own type: in a graph 0.0 is float32, whatever stands beside.
    is_origin = squares == 0.0
    safe = tf.where(is_origin, tf.ones_like(squares), squares)
    return tf.where(is_origin, tf.zeros_like(squares), tf.sqrt(safe))


def linf_norm(x: Samples) -> PerSample:
    """Largest absolute entry of each sample, ``(batch,)``."""
    return tf.reduce_max(tf.abs(flatten_samples(x)), axis=1)


def unit_l2(x: Samples) -> Samples:
    """Each sample scaled to Euclidean length 1; all-zero samples stay zero.

    Divides by the largest entry first: the squares of entries below 1e-19, as the
    gradient of a divergence near its minimum has them, are 0 in float32.
    """
    largest = expand_like(linf_norm(x), x)
    scaled = tf.math.divide_no_nan(x, largest)
    return tf.math.divide_no_nan(scaled, expand_like(l2_norm(scaled), x))


def log_mean_exp(values: tf.Tensor, axis: int | list[int]) -> tf.Tensor:
    """``ln(mean(exp(values)))`` along ``axis``, without overflow.

    Example:
        >>> import tensorflow as tf
        >>> float(log_mean_exp(tf.constant([1000.0, 1000.0]), axis=0))
        1000.0
    """
    axes = [axis] if isinstance(axis, int) else axis
    count = np.prod([values.shape[i] for i in axes])
    return tf.reduce_logsumexp(values, axis=axes) - tf.cast(np.log(count), values.dtype)


def all_finite(x: Samples) -> tf.Tensor:
    """Whether each sample has only finite entries, ``(batch,)`` bool."""
    return tf.reduce_all(tf.math.is_finite(flatten_samples(x)), axis=1)


def cosine(x: Samples, other: Samples) -> PerSample:
    """Cosine of the angle between ``x`` and ``other``, per sample, ``(batch,)``.

    All-zero samples give 0: they point nowhere, so nothing is said about them.
    """
    product = tf.reduce_sum(flatten_samples(x) * flatten_samples(other), axis=1)
    # Norms, not their squares, whose product is soon 0 in float32.
    return tf.math.divide_no_nan(product, l2_norm(x) * l2_norm(other))
