"""Bounds against their formulas and against mutual information known in closed form."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uae_tf.mine.ascent import Critic, CriticTrainer
from uae_tf.mine.bounds import BOUNDS, donsker_varadhan, infonce, nwj, smile
from uae_tf.mine.convolution import initial_weights
from uae_tf.mine.pairing import Scores, all_pairs, cyclic_shifts
from uae_tf.ops import samples_last

CORRELATIONS = np.array([0.0, 0.5, 0.75, 0.9])
TRUE = -0.5 * np.log(1.0 - CORRELATIONS**2)
PAIRS, HIDDEN = 96, 16


@pytest.fixture(scope="module")
def critics():
    """One untrained critic for each correlation, on scalar Gaussian pairs."""
    generator = np.random.default_rng(0)
    u, noise = generator.normal(size=(2, len(CORRELATIONS), PAIRS, 1))
    rho = CORRELATIONS[:, None, None]
    v = rho * u + np.sqrt(1.0 - rho**2) * noise
    u, v = tf.constant(u, tf.float32), tf.constant(v, tf.float32)
    a, b, output = initial_weights(HIDDEN, 1, seed=0)
    critic = Critic(
        tf.einsum("hd,bkd->bhk", a, u),
        tf.einsum("hd,bkd->bhk", b, v),
        tf.tile(output[None], (len(CORRELATIONS), 1)),
        tf.zeros((len(CORRELATIONS), HIDDEN)),
    )
    grams = [tf.matmul(views, views, transpose_b=True) for views in (u, v)]
    return critic, *grams


def estimates(critics, bound, pairing, num_steps):
    trainer = CriticTrainer(BOUNDS[bound], pairing, num_steps, 0, 0.1)
    return trainer(*critics, tf.constant(1)).value.numpy()


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_trained_critic_finds_the_information_of_gaussians(critics, bound):
    trained = estimates(critics, bound, all_pairs, 600)
    # The log-ratio of one pair has standard deviation rho: 0.09 in a mean over 96.
    np.testing.assert_allclose(trained, TRUE, atol=0.15)
    assert np.all(np.diff(trained) > 0.05)


def test_estimates_rise_towards_the_information(critics):
    rising = [
        estimates(critics, "donsker-varadhan", all_pairs, steps)
        for steps in (1, 30, 600)
    ]
    assert np.all(np.diff(rising, axis=0) > 0)
    assert np.all(rising[1] < TRUE + 0.05)


def test_shifts_order_the_information_of_gaussians(critics):
    trained = estimates(critics, "donsker-varadhan", cyclic_shifts, 600)
    np.testing.assert_allclose(trained, TRUE, atol=0.25)
    assert np.all(np.diff(trained) > 0.0)


@pytest.fixture
def scores():
    generator = np.random.default_rng(1)
    marginal = generator.normal(size=(2, 5, 5)) * 3
    return Scores(
        joint=tf.constant(np.diagonal(marginal, axis1=1, axis2=2), tf.float32),
        marginal=tf.constant(marginal, tf.float32),
        log_weights=tf.zeros((5, 1)),
    )


def test_formulas(scores):
    joint, marginal = scores.joint.numpy(), scores.marginal.numpy()
    mean = joint.mean(axis=1)
    dv = mean - np.log(np.exp(marginal).mean(axis=(1, 2)))
    np.testing.assert_allclose(donsker_varadhan(scores), dv, rtol=1e-5)
    expected = mean - np.exp(marginal - 1.0).mean(axis=(1, 2))
    np.testing.assert_allclose(nwj(scores), expected, rtol=1e-5)
    expected = mean - np.log(np.exp(marginal).mean(axis=1)).mean(axis=1)
    np.testing.assert_allclose(infonce(scores), expected, rtol=1e-4)
    expected = mean - np.log(np.exp(marginal.clip(-2, 2)).mean(axis=(1, 2)))
    np.testing.assert_allclose(smile(scores, clip=2.0), expected, rtol=1e-5)


def test_bounds_are_the_same_in_both_layouts(scores):
    last = Scores(
        joint=samples_last(scores.joint),
        marginal=samples_last(scores.marginal),
        log_weights=scores.log_weights[:, None],
        axis=0,
    )
    for bound in BOUNDS.values():
        np.testing.assert_allclose(bound(last), bound(scores), rtol=1e-6)


def test_weights_count_in_every_bound(scores):
    weights = tf.constant([[5.0], [0.0], [0.0], [0.0], [0.0]])
    weighted = scores._replace(log_weights=tf.math.log(weights))
    single = scores._replace(
        marginal=scores.marginal[:, :1], log_weights=tf.zeros((1, 1))
    )
    for bound in BOUNDS.values():
        np.testing.assert_allclose(bound(weighted), bound(single), rtol=1e-5)


def test_smile_does_not_drive_the_true_scores_to_infinity(scores):
    # Where all marginal scores are clipped, the clipped value alone would still push
    # the true pairs up with slope 1, whatever they are.
    high = scores._replace(joint=scores.joint + 100.0, marginal=scores.marginal + 100.0)
    with tf.GradientTape() as tape:
        tape.watch(high.joint)
        value = smile(high)
    assert np.abs(tape.gradient(value, high.joint)).max() < 1e-6


def test_large_scores_do_not_overflow(scores):
    large = scores._replace(joint=scores.joint * 1e4, marginal=scores.marginal * 1e4)
    for bound in BOUNDS.values():
        assert np.all(np.isfinite(bound(large)))


@settings(deadline=None, max_examples=50)
@given(hnp.arrays(np.float32, (1, 4, 4), elements=st.floats(-1e4, 1e4, width=32)))
def test_all_pairs_cannot_exceed_the_logarithm_of_their_number(marginal):
    marginal = tf.constant(marginal)
    scores = Scores(tf.linalg.diag_part(marginal), marginal, tf.zeros((4, 1)))
    rounding = 1e-6 * np.abs(marginal).max() + 1e-5
    assert donsker_varadhan(scores).numpy() <= np.log(4) + rounding
    assert infonce(scores).numpy() <= np.log(4) + rounding
    assert nwj(scores).numpy() <= np.log(4) + rounding
