"""Scores of a collapsed critic for true pairs and for marginal pairs.

The critic of the paper is linear up to its ReLU, hence (SPEC 4.2)
``T(u, v) = w . relu(A u + B v + bias)``. Everything here works on the responses
``a = A u`` and ``b = B v`` of the K pairs, with the pairs on the last axis: it is the
long one, and the one a processor's vector units run along.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Scores(NamedTuple):
    """Scores of a critic, and what each of the marginal ones stands for.

    Attributes:
        joint: ``(batch, K)``, T of the true pairs.
        marginal: ``(batch, S, K)``, T of each u_k with S partners.
        log_weights: ``(S, 1)``, logarithm of each partner's weight in a mean over
            partners; weights have mean 1.
    """

    joint: tf.Tensor
    marginal: tf.Tensor
    log_weights: tf.Tensor


#: (a, b, output, bias, step) -> Scores
Pairing = Callable[..., Scores]

#: Cyclic shifts of "shifts": small, pairwise different sums, coprime to even K.
SHIFTS = (1, 5)


def all_pairs(
    a: tf.Tensor, b: tf.Tensor, output: tf.Tensor, bias: tf.Tensor, step: tf.Tensor
) -> Scores:
    """Every u against every v, the diagonal included: K x K scores (SPEC 4.3).

    Args:
        a: ``(batch, H, K)`` responses ``A u_k``.
        b: ``(batch, H, K)`` responses ``B v_k``.
        output: ``(batch, H)`` output weights w.
        bias: ``(batch, H)``.
        step: unused; the index of the inner step.

    Returns:
        Scores with S = K partners on axis 1, all of equal weight.
    """
    del step
    shifted = (a + bias[:, :, None])[:, :, None, :]
    hidden = tf.nn.relu(shifted + b[:, :, :, None])
    scores = tf.reduce_sum(hidden * output[:, :, None, None], axis=1)
    return Scores(tf.linalg.diag_part(scores), scores, tf.zeros((a.shape[2], 1)))


def cyclic_shifts(
    a: tf.Tensor, b: tf.Tensor, output: tf.Tensor, bias: tf.Tensor, step: tf.Tensor
) -> Scores:
    """The diagonal and a few fixed derangements: an estimate of all pairs.

    The diagonal has the weight ``1 / K`` that it has among all K x K pairs, the
    derangements share the rest. Over the order of the pairs, the weighted mean of
    exp(T) has the expectation of the mean over all pairs; the value is, like theirs, at
    most ``ln K``. Without the diagonal a critic can raise it without end.

    Arguments as in :func:`all_pairs`; S = ``1 + len(SHIFTS)`` partners.
    """
    del step
    pairs, others = a.shape[2], len(SHIFTS)
    # Modulo K - 1: a shift by K would be the diagonal again.
    shifts = [1 + (shift - 1) % (pairs - 1) for shift in SHIFTS]
    partners = tf.stack([b, *(tf.roll(b, s, axis=2) for s in shifts)], axis=1)
    scores = _score((a + bias[:, :, None])[:, None], partners, output)
    weights = np.full((1 + others, 1), (1.0 - 1.0 / pairs) / others)
    weights[0] = 1.0 / pairs
    log_weights = np.log(weights * (1 + others)).astype(np.float32)
    return Scores(scores[:, 0], scores, tf.constant(log_weights))


def permutation(num_pairs: int, num_steps: int, seed: int) -> Pairing:
    """The published marginal: one random permutation, another for each inner step.

    Fixed points are allowed, as in the published code (SPEC 2.1.3).
    """
    generator = np.random.default_rng(seed)
    orders = tf.constant(
        np.stack([generator.permutation(num_pairs) for _ in range(num_steps + 1)]),
        tf.int32,
    )

    def shuffled(
        a: tf.Tensor, b: tf.Tensor, output: tf.Tensor, bias: tf.Tensor, step: tf.Tensor
    ) -> Scores:
        partners = tf.stack(
            [b, tf.gather(b, orders[step % (num_steps + 1)], axis=2)], axis=1
        )
        scores = _score((a + bias[:, :, None])[:, None], partners, output)
        return Scores(scores[:, 0], scores[:, 1:], tf.zeros((1, 1)))

    return shuffled


def _score(shifted: tf.Tensor, partners: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    hidden = tf.nn.relu(shifted + partners)
    return tf.reduce_sum(hidden * output[:, None, :, None], axis=2)
