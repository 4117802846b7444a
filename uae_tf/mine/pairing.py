"""Scores of a collapsed critic for true pairs and for marginal pairs.

The critic of the paper is linear up to its ReLU, hence (SPEC 4.2)
``T(u, v) = w . relu(A u + B v + bias)``. Everything here works on the responses
``a = A u`` and ``b = B v`` of the K pairs of a sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ..ops import samples_last


class Scores(NamedTuple):
    """Scores of a critic, and what each of the marginal ones stands for.

    Attributes:
        joint: ``(batch, K)``, T of the true pairs.
        marginal: ``(batch, S, K)``, T of each u_k with S partners.
        log_weights: ``(S, 1)``, logarithm of each partner's weight in a mean over
            partners; weights have mean 1.
        axis: of the pairs in ``joint`` and of the partners in ``marginal``: 1, or 0
            where the samples stand on the last axis of all three.
    """

    joint: tf.Tensor
    marginal: tf.Tensor
    log_weights: tf.Tensor
    axis: int = 1


@dataclass(frozen=True)
class Pairing:
    """Which pairs stand for the product of the marginals.

    Attributes:
        score: (a, b, output, bias, step) -> Scores, in the layout it works fastest in:
            the critic's tensors have their sample axis last if ``samples_last``, else
            first. ``step`` is the index of the inner step.
        num_partners: S, from K.
        samples_last: of the two, sample by sample arithmetic (K x K scores) runs along
            a processor's vector units with the samples last; matrix products (large
            Gram matrices) need them first. Measured 2.2 times faster at K 16, H 10
            with all pairs, 2.6 times slower at K 96 with shifts.
    """

    score: Callable[..., Scores]
    num_partners: Callable[[int], int]
    samples_last: bool = False

    def __call__(
        self,
        a: tf.Tensor,
        b: tf.Tensor,
        output: tf.Tensor,
        bias: tf.Tensor,
        step: int | tf.Tensor = 0,
    ) -> Scores:
        """Scores of critics with the samples first.

        Args:
            a: ``(batch, H, K)`` responses ``A u_k``.
            b: ``(batch, H, K)`` responses ``B v_k``.
            output: ``(batch, H)`` output weights w.
            bias: ``(batch, H)``.
            step: index of the inner step.
        """
        critic = (a, b, output, bias)
        if self.samples_last:
            critic = tuple(samples_last(tensor) for tensor in critic)
        return self.score(*critic, step)


#: Cyclic shifts of "shifts": small, pairwise different sums, coprime to even K.
SHIFTS = (1, 5)


def _all_pairs(
    a: tf.Tensor, b: tf.Tensor, output: tf.Tensor, bias: tf.Tensor, step: tf.Tensor
) -> Scores:
    del step
    pairs = a.shape[1]
    scores = _score_all(a + bias[:, None], b, output)
    # A masked sum, not a gather: it fuses with the bound that reads it.
    joint = tf.reduce_sum(scores * tf.eye(pairs)[:, :, None], axis=0)
    return Scores(joint, scores, tf.zeros((pairs, 1, 1)), axis=0)


@tf.custom_gradient
def _score_all(
    shifted: tf.Tensor, b: tf.Tensor, output: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """T of all pairs, ``(K of v, K of u, batch)``, and its adjoint.

    With m = 1 where ``a_k + b_j > 0``, and dT the gradient of the scores, the sums of
    ``m dT`` over j and over k give all three gradients (the one of w as well, since
    ``relu(x) = m x``): two reductions of the K x K x H array where automatic
    differentiation makes three, and the array itself is never stored.
    """
    weights = output[:, None, None]

    def hidden() -> tf.Tensor:
        return shifted[:, None] + b[:, :, None]

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        active = tf.where(hidden() > 0, upstream[None], 0.0)
        over_v, over_u = tf.reduce_sum(active, axis=1), tf.reduce_sum(active, axis=2)
        to_output = tf.reduce_sum(over_v * shifted + over_u * b, axis=1)
        return over_v * output[:, None], over_u * output[:, None], to_output

    return tf.reduce_sum(tf.nn.relu(hidden()) * weights, axis=0), gradient


def _cyclic_shifts(
    a: tf.Tensor, b: tf.Tensor, output: tf.Tensor, bias: tf.Tensor, step: tf.Tensor
) -> Scores:
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


#: Every u against every v, the diagonal included: K x K scores (SPEC 4.3).
all_pairs = Pairing(_all_pairs, lambda num_pairs: num_pairs, samples_last=True)

#: The diagonal and a few fixed derangements: an estimate of all pairs. The diagonal has
#: the weight ``1 / K`` that it has among all K x K pairs, the derangements share the
#: rest. Over the order of the pairs, the weighted mean of exp(T) has the expectation of
#: the mean over all pairs; the value is, like theirs, at most ``ln K``. Without the
#: diagonal a critic can raise it without end.
cyclic_shifts = Pairing(_cyclic_shifts, lambda num_pairs: 1 + len(SHIFTS))


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

    return Pairing(shuffled, lambda num_pairs: 2)


def _score(shifted: tf.Tensor, partners: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    hidden = tf.nn.relu(shifted + partners)
    return tf.reduce_sum(hidden * output[:, None, :, None], axis=2)
