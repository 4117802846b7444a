"""Measurements drawn from a covariance, against explicit Gaussian matrices."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from uae_tf.mine.ascent import CriticTrainer
from uae_tf.mine.bounds import donsker_varadhan
from uae_tf.mine.compressive import CompressiveMINE, _inverse_norms, _mixing
from uae_tf.mine.convolution import initial_weights
from uae_tf.mine.pairing import cyclic_shifts
from uae_tf.ops import fold_in, per_sample_normal, per_sample_seeds

BATCH, PAIRS, DIMENSION, HIDDEN, STEPS, RATE = 3, 6, 8, 4, 5, 0.1


def make(pairs=PAIRS, dimension=DIMENSION):
    trainer = CriticTrainer(donsker_varadhan, cyclic_shifts, STEPS, STEPS, RATE, False)
    return CompressiveMINE(trainer, HIDDEN, pairs, dimension, seed=3)


def matrices(seeds, pairs=PAIRS, dimension=DIMENSION):
    noise = per_sample_normal(fold_in(seeds, 3), (2, pairs, dimension))
    noise -= tf.reduce_mean(noise, axis=-1, keepdims=True)
    return noise[:, 0], noise[:, 1]


def normalised(rows):
    return rows / tf.norm(rows, axis=-1, keepdims=True)


def second_view(rho, z, e):
    rho = rho[:, None, None]
    return normalised(rho * z + tf.sqrt(1.0 - rho**2) * e)


def test_updates_equal_explicit_gradient_ascent(explicit_critic):
    estimator, seeds = make(), per_sample_seeds(5, np.arange(BATCH))
    state = estimator.prepare(None, tf.ones(BATCH), seeds)
    z, e = matrices(seeds)
    u = normalised(z)
    a, b, output = initial_weights(HIDDEN, DIMENSION, seed=3)
    weights = [
        tf.tile(a[None], (BATCH, 1, 1)),
        tf.tile(b[None], (BATCH, 1, 1)),
        tf.tile(output[None], (BATCH, 1)),
        tf.zeros((BATCH, HIDDEN)),
    ]

    def value_of(weights, rho):
        critic = explicit_critic(weights, u, second_view(rho, z, e))
        return donsker_varadhan(cyclic_shifts(*critic, tf.constant(0)))

    for t, rho in enumerate(([0.99, 0.5, -0.3], [0.9, 0.2, 0.0])):
        rho = tf.constant(rho)
        state, value, gradient = estimator.update(state, rho, tf.constant(t))
        for _ in range(2 * STEPS if t == 0 else STEPS):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                bound = value_of(weights, rho)
            slopes = tape.gradient(bound, weights)
            weights = [w + RATE * g for w, g in zip(weights, slopes, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(rho)
            bound = value_of(weights, rho)
        np.testing.assert_allclose(value, bound, rtol=1e-5, atol=1e-5)
        expected = tape.gradient(bound, rho)
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
        for received, rows in ((state.z_responses, z), (state.e_responses, e)):
            expected = tf.einsum("bhp,bkp->bhk", weights[1], rows)
            np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(estimator.value(state, rho), value, rtol=1e-4)


def row_products(state, rho):
    """``(u_j . u_k, u_j . v_k, v_j . v_k)`` of the first sample, from its state."""
    rho_, residual = (m[0] for m in _mixing(rho))
    inverse = _inverse_norms(state, rho)[0]
    z_inverse = tf.math.rsqrt(tf.linalg.diag_part(state.z_gram[0]))
    cross = rho_ * state.z_gram[0] + residual * state.cross_gram[0]
    second = (
        rho_**2 * state.z_gram[0]
        + rho_ * residual * (state.cross_gram[0] + tf.transpose(state.cross_gram[0]))
        + residual**2 * state.e_gram[0]
    )
    return (
        state.u_gram[0].numpy(),
        (cross * z_inverse[:, None] * inverse[None]).numpy(),
        (second * inverse[:, None] * inverse[None]).numpy(),
    )


@pytest.mark.parametrize("rho", [0.95, 0.4])
def test_measurements_have_the_distribution_of_explicit_projections(generator, rho):
    pairs, dimension, features = 500, 16, 40
    x = generator.normal(size=features)
    across = generator.normal(size=features)
    across -= x * (x @ across) / (x @ x)
    across *= np.linalg.norm(x) / np.linalg.norm(across)
    example = 1.7 * (rho * x + np.sqrt(1 - rho**2) * across)

    projections = generator.normal(size=(pairs, features, dimension)) / dimension**0.5
    rows = [np.einsum("kdp,d->kp", projections, s) for s in (x, example)]
    rows = [r - r.mean(axis=1, keepdims=True) for r in rows]
    rows = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in rows]
    u, v = rows
    explicit = (u @ u.T, u @ v.T, v @ v.T)

    state = make(pairs, dimension).prepare(
        None, tf.ones(1), per_sample_seeds(0, np.arange(1))
    )
    drawn = row_products(state, tf.constant([rho], tf.float32))

    np.testing.assert_allclose(np.diag(drawn[0]), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.diag(drawn[2]), 1.0, atol=1e-5)
    # The sample correlation of p Gaussian pairs, to leading order: mean
    # rho (1 - (1 - rho^2) / 2p), standard deviation (1 - rho^2) / sqrt(p - 2).
    correlation = np.diag(drawn[1])
    mean = rho * (1 - (1 - rho**2) / (2 * dimension))
    spread = (1 - rho**2) / np.sqrt(dimension - 2)
    assert correlation.mean() == pytest.approx(mean, abs=4 * spread / pairs**0.5)
    assert correlation.std() == pytest.approx(spread, rel=0.2)
    test = stats.ks_2samp(correlation, np.diag(explicit[1]))
    assert test.pvalue > 0.01
    # Different measurements are independent: disjoint pairs of them, so that the
    # products are independent too.
    even, odd = np.arange(0, pairs, 2), np.arange(1, pairs, 2)
    for received, expected in zip(drawn, explicit, strict=True):
        assert abs(received[even, odd].mean()) < 4 / np.sqrt(len(even) * dimension)
        test = stats.ks_2samp(received[even, odd], expected[even, odd])
        assert test.pvalue > 0.01


def test_measurements_follow_the_sample_not_the_batch():
    estimator = make()
    together = estimator.prepare(
        None, tf.ones(3), per_sample_seeds(0, np.array([4, 5, 6]))
    )
    alone = estimator.prepare(None, tf.ones(1), per_sample_seeds(0, np.array([5])))
    np.testing.assert_array_equal(together.z_gram[1], alone.z_gram[0])
    assert np.any(together.z_gram[0] != together.z_gram[1])


@pytest.mark.parametrize("rho", [1.0, -1.0, 0.0, 1.0 + 1e-6])
def test_extreme_correlations_stay_finite(rho):
    estimator = make()
    state = estimator.prepare(None, tf.ones(1), per_sample_seeds(0, np.arange(1)))
    _, value, gradient = estimator.update(state, tf.constant([rho]), tf.constant(0))
    assert np.isfinite(value[0])
    assert np.isfinite(gradient[0])
