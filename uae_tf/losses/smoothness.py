"""Local distributional smoothness: how far a small step moves a prediction.

Throughout, a prediction is a row of logits, and everything is computed from their
log-softmax: probabilities that round to 0 would make the divergence infinite.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from ..ops import expand_like, l2_norm, unit_l2
from ..types import PerSample, Samples

#: From samples to logits, ``(batch, *shape)`` -> ``(batch, classes)``.
LogitsOf = Callable[[Samples], tf.Tensor]


def kl_divergence(logits: tf.Tensor, other_logits: tf.Tensor) -> PerSample:
    """``KL(p || q) = sum_k p_k (ln p_k - ln q_k)`` of two predictions, in nats.

    Args:
        logits: ``(batch, classes)`` of p; -inf where a class is ruled out.
        other_logits: ``(batch, classes)`` of q.

    Returns:
        ``(batch,)`` float32, at least 0 up to rounding.

    Example:
        >>> import tensorflow as tf
        >>> certain, even = tf.constant([[50.0, 0.0]]), tf.constant([[0.0, 0.0]])
        >>> round(float(kl_divergence(certain, even)[0]), 4)  # ln 2
        0.6931
    """
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    log_q = tf.nn.log_softmax(tf.cast(other_logits, tf.float32))
    return _expectation(log_p, log_p - log_q)


def entropy(logits: tf.Tensor) -> PerSample:
    """``-sum_k p_k ln p_k`` of a prediction, in nats.

    Args:
        logits: ``(batch, classes)``; -inf where a class is ruled out.

    Returns:
        ``(batch,)`` float32, from 0 to ``ln(classes)``.
    """
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    return -_expectation(log_p, log_p)


def virtual_adversarial_perturbation(
    logits_of: LogitsOf,
    x: Samples,
    logits: tf.Tensor,
    start: Samples,
    epsilon: float,
    xi: float = 1e-2,
    power_iterations: int = 1,
) -> Samples:
    """The step of length ``epsilon`` that moves the prediction most, to second order.

    At r = 0 the divergence ``D(r) = KL(p(x) || p(x + r))`` and its gradient vanish, so
    near 0 it is ``r' H r / 2`` and the best direction is the first eigenvector of the
    Hessian H. Power iteration finds it without H: a gradient of D at ``xi d`` is
    ``xi H d`` up to higher orders, hence ``d <- grad D(xi d) / ||grad D(xi d)||``.

    Args:
        logits_of: the classifier. Called once per power iteration, with a gradient.
        x: ``(batch, *shape)``.
        logits: ``(batch, classes)``, the classifier's logits at ``x``; held constant.
        start: ``(batch, *shape)``, random directions of any length.
        epsilon: length (L2) of the result, in units of x.
        xi: length of the step that the gradient is taken at, in units of x. The
            published 1e-6 is below the resolution of float32 around 1; see
            ``docs/DECISIONS.md``. Half precision needs 1e-1.
        power_iterations: 0 leaves the random direction (random perturbation training).

    Returns:
        ``(batch, *shape)`` of length ``epsilon``, no gradient flows through it. Where
        the divergence is flat the last direction is kept.

    Reference:
        Miyato et al., TPAMI 2018, section 3.3; SPEC 7.1.1.
    """
    direction, fixed = unit_l2(start), tf.stop_gradient(logits)
    for _ in range(power_iterations):
        with tf.GradientTape() as tape:
            tape.watch(direction)
            divergence = kl_divergence(fixed, logits_of(x + xi * direction))
        gradient = unit_l2(tape.gradient(divergence, direction))
        is_flat = l2_norm(gradient) == 0.0
        direction = tf.where(expand_like(is_flat, x), direction, gradient)
    return tf.stop_gradient(epsilon * direction)


def local_distributional_smoothness(
    logits_of: LogitsOf,
    x: Samples,
    start: Samples,
    epsilon: float,
    xi: float = 1e-2,
    power_iterations: int = 1,
) -> PerSample:
    """``LDS = KL(p(x) || p(x + r_vadv))``, per sample, in nats; lower is smoother.

    The gradient with respect to the classifier's weights flows through ``p(x + r)``
    alone: neither through ``r`` nor through the clean prediction.

    Args:
        logits_of: the classifier.
        x: ``(batch, *shape)``.
        start: ``(batch, *shape)``, random directions.
        epsilon: length (L2) of ``r``, in units of x.
        xi: as in :func:`virtual_adversarial_perturbation`.
        power_iterations: as there.

    Returns:
        ``(batch,)`` float32.

    Example:
        >>> import tensorflow as tf
        >>> weights = tf.constant([[3.0, 0.0], [0.0, 0.0]])
        >>> lds = local_distributional_smoothness(
        ...     lambda x: x @ weights, tf.zeros((1, 2)), tf.ones((1, 2)), epsilon=1.0)
        >>> round(float(lds[0]), 4)  # KL of (1/2, 1/2) and softmax(3, 0)
        0.8554
    """
    logits = logits_of(x)
    r = virtual_adversarial_perturbation(
        logits_of, x, logits, start, epsilon, xi, power_iterations
    )
    return kl_divergence(tf.stop_gradient(logits), logits_of(x + r))


def _expectation(log_p: tf.Tensor, values: tf.Tensor) -> PerSample:
    """``sum_k p_k values_k``, without the classes that are ruled out."""
    # Their values are infinite, and 0 times that is NaN, in the gradient as well.
    values = tf.where(log_p == float("-inf"), 0.0, values)
    return tf.reduce_sum(tf.exp(log_p) * values, axis=-1)
