"""Marginal pairs: which they are, and what they weigh."""

import numpy as np
import pytest
import tensorflow as tf

from uae_tf.mine.bounds import donsker_varadhan
from uae_tf.mine.pairing import SHIFTS, all_pairs, cyclic_shifts, permutation
from uae_tf.ops import samples_first

PAIRS = [2, 3, 5, 6, 16, 97]


def critic(pairs, batch=2, hidden=4, seed=0, scale=1.0):
    shapes = ((batch, hidden, pairs), (batch, hidden, pairs), (batch, hidden))
    generator = np.random.default_rng(seed)
    a, b, output = (
        tf.constant(scale * generator.normal(size=s), tf.float32) for s in shapes
    )
    return a, b, output, 0.1 * output


def by_hand(a, b, output, bias):
    """``scores[n, j, k]``: T of u_k with v_j, in numpy."""
    a, b, output, bias = (np.asarray(t, np.float64) for t in (a, b, output, bias))
    hidden = a[:, :, None, :] + bias[:, :, None, None] + b[:, :, :, None]
    return np.einsum("nhjk,nh->njk", np.maximum(hidden, 0.0), output)


def test_all_pairs_are_all_pairs():
    parts = critic(7)
    scores = all_pairs(*parts)
    expected = by_hand(*parts)
    marginal, joint = samples_first(scores.marginal), samples_first(scores.joint)
    np.testing.assert_allclose(marginal, expected, rtol=1e-4, atol=1e-5)
    diagonal = np.diagonal(expected, axis1=1, axis2=2)
    np.testing.assert_allclose(joint, diagonal, rtol=1e-4, atol=1e-5)


def test_the_written_gradient_of_all_pairs_is_that_of_its_formula():
    parts = critic(7)
    upstream = tf.constant(np.random.default_rng(3).normal(size=(2, 7, 7)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(parts)
        received = tf.reduce_sum(samples_first(all_pairs(*parts).marginal) * upstream)
    gradients = tape.gradient(received, parts)
    with tf.GradientTape() as tape:
        tape.watch(parts)
        a, b, output, bias = parts
        hidden = a[:, :, None, :] + bias[:, :, None, None] + b[:, :, :, None]
        scores = tf.einsum("nhjk,nh->njk", tf.nn.relu(hidden), output)
        expected = tf.reduce_sum(scores * upstream)
    for written, automatic in zip(
        gradients, tape.gradient(expected, parts), strict=True
    ):
        np.testing.assert_allclose(written, automatic, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pairs", PAIRS)
def test_shifts_are_the_diagonal_and_derangements(pairs):
    parts = critic(pairs)
    scores = cyclic_shifts(*parts, tf.constant(0))
    expected = by_hand(*parts)
    diagonal = np.diagonal(expected, axis1=1, axis2=2)
    np.testing.assert_allclose(scores.joint, diagonal, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(scores.marginal[:, 0], scores.joint)
    for row in range(1, 1 + len(SHIFTS)):
        partner = scores.marginal[0, row].numpy()
        matches = np.isclose(expected[0], partner, rtol=1e-4, atol=1e-5)
        assert np.all(matches.any(axis=0))
        assert not np.all(np.isclose(partner, diagonal[0]))


@pytest.mark.parametrize("pairs", PAIRS)
def test_weights_have_mean_one(pairs):
    for pairing in (all_pairs, cyclic_shifts, permutation(pairs, 3, seed=0)):
        scores = pairing(*critic(pairs), tf.constant(0))
        weights = np.exp(scores.log_weights)
        assert weights.mean() == pytest.approx(1.0, rel=1e-6)
        assert scores.marginal.shape[scores.axis] == len(weights)


@pytest.mark.parametrize("pairs", [2, 5, 16])
def test_shifts_are_unbiased_for_all_pairs(pairs):
    a, b, output, bias = critic(pairs, batch=1, scale=0.5)
    expected = np.exp(by_hand(a, b, output, bias)).mean()
    generator = np.random.default_rng(1)
    means = []
    for _ in range(800):
        order = generator.permutation(pairs)
        shuffled = (tf.gather(a, order, axis=2), tf.gather(b, order, axis=2))
        scores = cyclic_shifts(*shuffled, output, bias, tf.constant(0))
        weights = np.exp(scores.log_weights)
        means.append(np.mean(np.exp(scores.marginal) * weights))
    error = np.std(means) / np.sqrt(len(means))
    assert np.mean(means) == pytest.approx(expected, abs=4 * error + 1e-5)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("pairing", [all_pairs, cyclic_shifts])
def test_the_diagonal_bounds_the_estimate(pairing, scale):
    # A critic that knows the pairs by heart: u_k excites v_k and nothing else.
    pairs = 8
    eye = scale * tf.eye(pairs)[None]
    parts = (eye, eye, tf.ones((1, pairs)), -scale * tf.ones((1, pairs)))
    value = float(donsker_varadhan(pairing(*parts, tf.constant(0)))[0])
    assert value <= np.log(pairs) + 1e-4
    if scale == 100.0:
        assert value == pytest.approx(np.log(pairs), abs=1e-4)


def test_shuffle_takes_another_permutation_at_each_step():
    parts, pairing = critic(16), permutation(16, 4, seed=0)
    rows = [pairing(*parts, tf.constant(step)).marginal[0, 0] for step in range(5)]
    assert len(np.unique(np.stack(rows), axis=0)) == 5
    for row in rows:
        partners = by_hand(*parts)[0]
        assert np.all(np.isclose(partners, row, rtol=1e-4, atol=1e-5).any(axis=0))
    other = permutation(16, 4, seed=1)(*parts, tf.constant(0)).marginal[0, 0]
    assert np.any(other != rows[0])
