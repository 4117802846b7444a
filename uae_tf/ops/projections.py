"""Projections of a perturbation onto what is allowed."""

import tensorflow as tf

from ..types import Samples
from .reductions import expand_like, l2_norm


def project_box_and_ball(
    delta: Samples, x: Samples, epsilon: float, lower: float, upper: float
) -> Samples:
    """Nearest ``delta`` with ``|delta| <= epsilon`` and ``x + delta`` in the box.

    Both sets are boxes, so their intersection is one too:
    ``[max(-epsilon, lower - x), min(epsilon, upper - x)]`` per entry.

    Args:
        delta: ``(batch, *shape)``, the perturbation.
        x: ``(batch, *shape)``, the samples, in ``[lower, upper]``.
        epsilon: L-infinity radius, in the units of ``x``.
        lower: smallest allowed value of ``x + delta``.
        upper: largest allowed value of ``x + delta``.

    Returns:
        ``(batch, *shape)``, the projected perturbation.

    Reference:
        SPEC 4.7; Algorithm 1 of Hsu et al., AAAI 2022 (lines "clip").
    """
    # Tensors first: in a graph a number that comes first makes all float32.
    smallest = tf.maximum(lower - x, -epsilon)
    largest = tf.minimum(upper - x, epsilon)
    return tf.clip_by_value(delta, smallest, largest)


def project_l2_ball(delta: Samples, epsilon: float) -> Samples:
    """Nearest ``delta`` with ``||delta||_2 <= epsilon``, per sample.

    ``delta * min(1, epsilon / ||delta||_2)``.
    """
    norms = l2_norm(delta)
    scale = tf.minimum(epsilon / tf.maximum(norms, 1e-12), 1.0)
    return delta * expand_like(scale, delta)
