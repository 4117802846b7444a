"""MINE on feature maps equals gradient ascent on explicit weights."""

import numpy as np
import pytest
import tensorflow as tf

from uae_tf.mine.ascent import CriticTrainer
from uae_tf.mine.bounds import donsker_varadhan
from uae_tf.mine.convolution import ConvolutionMINE, initial_weights
from uae_tf.mine.pairing import all_pairs

BATCH, HEIGHT, WIDTH, PAIRS, HIDDEN, STEPS, RATE = 3, 3, 4, 6, 4, 5, 0.1
PIXELS = HEIGHT * WIDTH
SEEDS = tf.zeros((BATCH, 2), tf.int32)


@pytest.fixture
def trainer():
    return CriticTrainer(donsker_varadhan, all_pairs, STEPS, STEPS, RATE, False)


@pytest.fixture
def estimator(trainer):
    return ConvolutionMINE(trainer, HIDDEN, seed=3)


@pytest.fixture
def maps(generator):
    """Maps of x and of two iterates, not all of one scale."""
    shape = (3, BATCH, HEIGHT, WIDTH, PAIRS)
    scale = np.array([1.0, 10.0, 0.1])[:, None, None, None]
    return tf.constant(np.abs(generator.normal(size=shape)) * scale, tf.float32)


def features_of(estimator, maps):
    return estimator.features(None, None, None, maps)


def test_features_are_maps_as_columns(estimator, maps):
    features = features_of(estimator, maps[0])
    assert features.shape == (BATCH, PIXELS, PAIRS)
    np.testing.assert_array_equal(
        features[1, :, 2], tf.reshape(maps[0][1, :, :, 2], [-1])
    )
    half = features_of(estimator, tf.cast(maps[0], tf.float16))
    assert half.dtype == tf.float32


def test_maps_may_come_with_their_channels_first(estimator, trainer, maps):
    moved = ConvolutionMINE(trainer, HIDDEN, 3, data_format="channels_first")
    received = features_of(moved, tf.transpose(maps[0], (0, 3, 1, 2)))
    np.testing.assert_array_equal(received, features_of(estimator, maps[0]))


def test_updates_equal_explicit_gradient_ascent(estimator, explicit_critic, maps):
    clean, *iterates = (features_of(estimator, m) for m in maps)
    state = estimator.prepare(None, clean, SEEDS)
    norms = np.sqrt(np.mean(np.sum(np.square(clean), axis=1), axis=1))
    views = [tf.linalg.matrix_transpose(f) / norms[:, None, None] for f in (clean,)]
    a, b, output = initial_weights(HIDDEN, PIXELS, seed=3)
    weights = [
        tf.tile(a[None], (BATCH, 1, 1)),
        tf.tile(b[None], (BATCH, 1, 1)),
        tf.tile(output[None], (BATCH, 1)),
        tf.zeros((BATCH, HIDDEN)),
    ]

    def value_of(weights, v):
        critic = explicit_critic(weights, views[0], v)
        return donsker_varadhan(all_pairs(*critic, tf.constant(0)))

    for t, features in enumerate(iterates):
        state, value, gradient = estimator.update(state, features, tf.constant(t))
        v = tf.linalg.matrix_transpose(features) / norms[:, None, None]
        for _ in range(2 * STEPS if t == 0 else STEPS):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                bound = value_of(weights, v)
            slopes = tape.gradient(bound, weights)
            weights = [w + RATE * g for w, g in zip(weights, slopes, strict=True)]
        np.testing.assert_allclose(value, value_of(weights, v), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.b_weights, weights[1], rtol=1e-5, atol=1e-5)
        expected = tf.einsum("bhd,bkd->bhk", weights[0], views[0])
        np.testing.assert_allclose(state.critic.a, expected, rtol=1e-5, atol=1e-5)
        with tf.GradientTape() as tape:
            tape.watch(features)
            view = tf.linalg.matrix_transpose(features) / norms[:, None, None]
            bound = value_of(weights, view)
        expected = tape.gradient(bound, features)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_gradient_equals_finite_differences(estimator, maps, generator):
    clean, features, _ = (features_of(estimator, m) for m in maps)
    state = estimator.prepare(None, clean, SEEDS)
    state, value, gradient = estimator.update(state, features, tf.constant(0))
    np.testing.assert_allclose(estimator.value(state, features), value, rtol=1e-4)
    direction = tf.constant(generator.normal(size=features.shape), tf.float32)
    direction *= 1e-3 / state.scale
    ahead = estimator.value(state, features + direction)
    behind = estimator.value(state, features - direction)
    slope = tf.reduce_sum(gradient * direction, axis=[1, 2])
    np.testing.assert_allclose((ahead - behind) / 2.0, slope, rtol=0.05, atol=2e-5)


def test_scale_of_the_maps_does_not_matter(estimator, maps):
    estimates = []
    for factor in (1.0, 1000.0):
        clean, features, _ = (features_of(estimator, factor * m) for m in maps)
        state = estimator.prepare(None, clean, SEEDS)
        estimates.append(estimator.update(state, features, tf.constant(0))[1])
    np.testing.assert_allclose(estimates[0], estimates[1], rtol=1e-4)


def test_a_blank_sample_stays_finite(estimator, maps):
    blank = features_of(estimator, tf.zeros_like(maps[0]))
    state = estimator.prepare(None, blank, SEEDS)
    for t in range(4):
        features = features_of(estimator, maps[1])
        state, value, gradient = estimator.update(state, features, tf.constant(t))
    assert np.all(np.abs(value) < 10.0)
    assert np.all(np.isfinite(gradient))
