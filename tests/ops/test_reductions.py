"""One number per sample."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uae_tf import ops


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(3, 2, 4, 1)).astype(np.float32)


def test_norms_equal_numpy(x):
    flat = x.reshape(3, -1)
    norms = np.linalg.norm(flat, axis=1)
    x = tf.constant(x)
    np.testing.assert_allclose(ops.l2_norm(x), norms, rtol=1e-6)
    np.testing.assert_allclose(ops.squared_norm(x), norms**2, rtol=1e-6)
    np.testing.assert_array_equal(ops.linf_norm(x), np.abs(flat).max(axis=1))


def test_l2_norm_has_gradient_zero_at_the_origin():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        norms = ops.l2_norm(x)
    assert norms.numpy().tolist() == [0.0, 5.0]
    np.testing.assert_allclose(tape.gradient(norms, x), [[0, 0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("function", [ops.l2_norm, ops.unit_l2])
def test_norms_keep_the_precision_they_are_given_in_a_graph_too(function, dtype, x):
    x = tf.cast(tf.concat([x, tf.zeros((1, *x.shape[1:]))], axis=0), dtype)
    received = tf.function(function, autograph=False)(x)
    assert received.dtype == dtype
    np.testing.assert_array_equal(received, function(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_l2_norm_does_not_hide_what_is_not_finite(bad):
    norms = ops.l2_norm(tf.constant([[bad, 1.0], [3.0, 4.0]])).numpy()
    assert not np.isfinite(norms[0])
    assert norms[1] == 5.0


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_log_mean_exp_does_not_overflow(offset):
    values = np.random.default_rng(0).normal(size=(5, 7))
    expected = np.log(np.mean(np.exp(values), axis=1)) + offset
    received = ops.log_mean_exp(tf.constant(values + offset), axis=1)
    np.testing.assert_allclose(received, expected, rtol=1e-6)
    overall = ops.log_mean_exp(tf.constant(values), [0, 1])
    np.testing.assert_allclose(overall, np.log(np.mean(np.exp(values))), rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    values=hnp.arrays(np.float32, (4, 3), elements=st.floats(-50, 50, width=32)),
    shift=st.floats(-100, 100, width=32),
)
def test_log_mean_exp_lies_between_mean_and_maximum(values, shift):
    received = ops.log_mean_exp(tf.constant(values), axis=1).numpy()
    assert np.all(received >= values.mean(axis=1) - 1e-4)
    assert np.all(received <= values.max(axis=1) + 1e-4)
    shifted = ops.log_mean_exp(tf.constant(values + shift), axis=1).numpy()
    np.testing.assert_allclose(shifted, received + shift, atol=1e-3)


def test_cosine(x):
    other = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    a, b = x.reshape(3, -1), other.reshape(3, -1)
    expected = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    x, other = tf.constant(x), tf.constant(other)
    np.testing.assert_allclose(ops.cosine(x, other), expected, rtol=1e-5)
    np.testing.assert_allclose(ops.cosine(x, 3.0 * x), 1.0, rtol=1e-6)
    np.testing.assert_allclose(ops.cosine(x, -x), -1.0, rtol=1e-6)
    assert np.all(ops.cosine(tf.zeros_like(x), x).numpy() == 0.0)


@pytest.mark.parametrize("scale", [1e-15, 1e-5, 1e15])
def test_cosine_does_not_see_lengths(x, scale):
    x, other = tf.constant(x), tf.constant(x[::-1])
    expected = ops.cosine(x, other)
    received = ops.cosine(scale * x, scale * other)
    np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_cosine_has_gradient_zero_at_the_origin():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        cosines = ops.cosine(x, tf.constant([[1.0, 0.0]] * 2))
    expected = [[0.0, 0.0], [0.128, -0.096]]  # (b - rho x / |x|) / |x|
    np.testing.assert_allclose(tape.gradient(cosines, x), expected, atol=1e-6)


def test_all_finite(x):
    x[1, 0, 2, 0] = np.nan
    x[2, 1, 3, 0] = -np.inf
    assert ops.all_finite(tf.constant(x)).numpy().tolist() == [True, False, False]


def test_expand_and_flatten(x):
    values = tf.constant([1.0, 2.0, 3.0])
    assert ops.expand_like(values, tf.constant(x)).shape == (3, 1, 1, 1)
    np.testing.assert_array_equal(ops.flatten_samples(tf.constant(x)), x.reshape(3, -1))


def test_samples_of_unknown_size_are_flattened_too():
    specs = [tf.TensorSpec((None, None, 3))]
    flatten = tf.function(ops.flatten_samples, input_signature=specs)
    assert flatten(tf.zeros((2, 4, 3))).shape == (2, 12)
