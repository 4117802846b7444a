"""Variational bounds on mutual information, from a critic's scores.

A critic T scores pairs: the K true ones (u_k, v_k), and each u_k with S partners v_j,
which stand for the product of the marginals (:class:`~uae_tf.mine.pairing.Scores`). All
bounds are means over the K pairs of one sample, in nats, ``(batch,)``.
"""

from collections.abc import Callable

import tensorflow as tf

from ..ops import log_mean_exp
from ..types import PerSample
from .pairing import Scores

Bound = Callable[[Scores], PerSample]


def donsker_varadhan(scores: Scores) -> PerSample:
    """``mean(T_joint) - ln(mean(exp(T_marginal)))``, the bound of MINE.

    With the diagonal among the marginal pairs it is at most ``ln K`` (SPEC 4.3).

    Reference:
        Belghazi et al., MINE, ICML 2018, eq. 5; SPEC 2.1.3, 4.4.
    """
    return tf.reduce_mean(scores.joint, scores.axis) - _log_mean_marginal(scores)


def nwj(scores: Scores) -> PerSample:
    """``mean(T_joint) - mean(exp(T_marginal - 1))`` (f-divergence form of KL).

    Unbiased in the marginal term, so its gradient needs no correction, at the price
    of a looser bound.

    Reference:
        Nguyen, Wainwright, Jordan 2010; SPEC 8.2.
    """
    # exp(log-mean-exp) rather than mean(exp): the same number, and the exponent is
    # clipped once, for the whole sample, before it can overflow.
    exponent = tf.minimum(_log_mean_marginal(scores) - 1.0, 30.0)
    return tf.reduce_mean(scores.joint, scores.axis) - tf.exp(exponent)


def infonce(scores: Scores) -> PerSample:
    """``mean_k(T_kk - ln mean_s exp(T_sk))``: a softmax over the partners of each u_k.

    The lowest variance of the four; at most ``ln K`` where the true partner is among
    the marginal ones ("all" and "shifts", not "shuffle").

    Reference:
        van den Oord et al. 2018; SPEC 8.2.
    """
    partners = log_mean_exp(scores.marginal + scores.log_weights, scores.axis)
    return tf.reduce_mean(scores.joint - partners, scores.axis)


def smile(scores: Scores, clip: float = 5.0) -> PerSample:
    """Donsker-Varadhan with the marginal scores clipped to ``[-clip, clip]``.

    Clipping bounds the variance of the partition function. It also lets the true
    pairs' scores grow for ever, so the critic is trained by another bound, as in the
    paper: the value is the clipped one, its gradient that of Jensen-Shannon,
    ``mean(-softplus(-T_joint)) - mean(softplus(T_marginal))``.

    Reference:
        Song and Ermon, ICLR 2020 (tau = 5); SPEC 8.2.
    """
    clipped = tf.clip_by_value(scores.marginal, -clip, clip)
    value = donsker_varadhan(scores._replace(marginal=clipped))
    weighted = tf.exp(scores.log_weights) * tf.nn.softplus(scores.marginal)
    jensen_shannon = -tf.reduce_mean(
        tf.nn.softplus(-scores.joint), scores.axis
    ) - tf.reduce_mean(weighted, _marginal_axes(scores))
    return jensen_shannon + tf.stop_gradient(value - jensen_shannon)


def _log_mean_marginal(scores: Scores) -> PerSample:
    weighted = scores.marginal + scores.log_weights
    return log_mean_exp(weighted, _marginal_axes(scores))


def _marginal_axes(scores: Scores) -> list[int]:
    return [scores.axis, scores.axis + 1]


BOUNDS: dict[str, Bound] = {
    "donsker-varadhan": donsker_varadhan,
    "nwj": nwj,
    "infonce": infonce,
    "smile": smile,
}
