"""The closed form of Gaussian measurements."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from uae_tf import GaussianMI
from uae_tf.mine import gaussian_mutual_information


@pytest.mark.parametrize("dimension", [1, 128])
def test_formula(dimension):
    rho = np.array([-0.999, -0.5, 0.0, 0.3, 0.98982], np.float32)
    expected = -0.5 * dimension * np.log(1.0 - rho.astype(np.float64) ** 2)
    received = gaussian_mutual_information(tf.constant(rho), dimension)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-6)


def test_gradient():
    rho = tf.constant([-0.9, 0.0, 0.5, 0.99])
    with tf.GradientTape() as tape:
        tape.watch(rho)
        value = gaussian_mutual_information(rho, 128)
    np.testing.assert_allclose(
        tape.gradient(value, rho), 128 * rho / (1 - rho**2), rtol=1e-3
    )


@settings(deadline=None, max_examples=100)
@given(st.floats(-1.0, 1.0, width=32, allow_subnormal=False))
def test_always_finite_and_even(rho):
    pair = tf.constant([rho, -rho], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pair)
        value = gaussian_mutual_information(pair)
    assert np.all(np.isfinite(value))
    assert value[0] == value[1]
    assert value[0] >= 0.0
    assert np.all(np.isfinite(tape.gradient(value, pair)))


def test_simulated_measurements_have_this_information():
    generator = np.random.default_rng(0)
    x = generator.random((1, 30), dtype=np.float32)
    example = x + generator.uniform(-0.5, 0.5, x.shape).astype(np.float32)
    similarity = GaussianMI(projection_dimension=3)
    rho = similarity.features(tf.constant(x), tf.constant(example), None, None)
    rows = generator.normal(size=(20_000, 30)) @ np.concatenate([x, example]).T
    covariance = np.cov(rows.T)
    determinants = np.prod(np.diag(covariance)) / np.linalg.det(covariance)
    simulated = 3 * 0.5 * np.log(determinants)
    assert float(similarity.value(None, rho)[0]) == pytest.approx(simulated, rel=0.03)


@pytest.mark.parametrize("noise", [2e-3, 1e-2])
def test_small_start_noise_has_a_gradient(noise):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.random((1, 64)), tf.float32)
    delta = tf.constant(generator.uniform(-noise, noise, (1, 64)), tf.float32)
    similarity = GaussianMI()
    with tf.GradientTape() as tape:
        tape.watch(delta)
        value = similarity.value(None, similarity.features(x, x + delta, None, None))
    gradient = tape.gradient(value, delta)
    assert np.all(np.linalg.norm(gradient, axis=1) > 1.0)


def test_dimension_must_be_positive():
    with pytest.raises(ValueError, match=r"`projection_dimension`.*Received.*=0"):
        GaussianMI(0)
