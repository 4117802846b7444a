import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.losses import NTXent, nt_xent_logits, nt_xent_per_sample


def views(samples, size=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, samples, size)).astype("float32")


def by_loops(z_a, z_b, temperature):
    """The formula of the paper, one anchor and one other view after the other."""
    z = np.concatenate([z_a, z_b]).astype("float64")
    pairs, total = len(z_a), 0.0
    for anchor in range(2 * pairs):
        positive = (anchor + pairs) % (2 * pairs)
        similarities = {}
        for other in range(2 * pairs):
            if other != anchor:
                cosine = z[anchor] @ z[other]
                cosine /= np.linalg.norm(z[anchor]) * np.linalg.norm(z[other])
                similarities[other] = np.exp(cosine / temperature)
        total -= np.log(similarities[positive] / sum(similarities.values()))
    return total / (2 * pairs)


@pytest.mark.parametrize("samples", [2, 17])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
def test_equals_a_naive_double_loop(samples, temperature):
    z_a, z_b = views(samples)
    got = float(NTXent(temperature)(z_a, z_b))
    assert got == pytest.approx(by_loops(z_a, z_b, temperature), abs=1e-6, rel=1e-6)


def test_equal_projections_cost_the_logarithm_of_the_other_views():
    z = np.ones((50, 4), "float32")
    assert float(NTXent()(z, z)) == pytest.approx(np.log(99), abs=1e-6)


def test_perfect_views_cost_nothing_at_a_low_temperature():
    z = np.eye(5, dtype="float32")
    assert float(NTXent(0.01)(z, z)) == pytest.approx(0.0, abs=1e-6)


def test_scale_of_the_projections_does_not_matter_and_views_may_change_places():
    z_a, z_b = views(6)
    loss = float(NTXent()(z_a, z_b))
    assert float(NTXent()(1e6 * z_a, 1e-6 * z_b)) == pytest.approx(loss, rel=1e-5)
    assert float(NTXent()(z_b, z_a)) == pytest.approx(loss, rel=1e-6)


def test_an_anchor_never_meets_itself():
    z_a, z_b = views(4)
    logits, positives = nt_xent_logits(z_a, z_b)
    np.testing.assert_array_less(np.diag(logits), -1e8)
    np.testing.assert_array_equal(positives, [4, 5, 6, 7, 0, 1, 2, 3])


def test_the_gradient_is_finite_even_at_zero_projections():
    z = tf.Variable(tf.zeros((3, 4)))
    with tf.GradientTape() as tape:
        loss = NTXent()(z, z)
    assert np.isfinite(tape.gradient(loss, z)).all()


def test_half_precision_projections_are_compared_in_float32():
    z_a, z_b = views(32, 64)
    halves = [tf.cast(z, tf.bfloat16) for z in (z_a, z_b)]
    widened = [tf.cast(z, tf.float32) for z in halves]
    loss = NTXent()(*halves)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(float(NTXent()(*widened)), abs=1e-6)


def test_unknown_batch_sizes_compile_once():
    function = tf.function(
        NTXent(), input_signature=[tf.TensorSpec((None, 8)), tf.TensorSpec((None, 8))]
    )
    for samples in (2, 5):
        z_a, z_b = views(samples)
        assert float(function(z_a, z_b)) == pytest.approx(by_loops(z_a, z_b, 0.5), 1e-5)


def test_per_sample_is_the_softmax_among_positive_and_negatives():
    samples, count = 4, 3
    z = np.concatenate([*views(samples), *views(samples, seed=1)])[: samples * count]
    z, negatives = z.reshape(samples, count, -1), views(7, seed=2)[0]
    is_negative = np.ones((samples, 7), bool)
    is_negative[1, 2] = False
    units, fixed = (
        v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (z, negatives)
    )
    expected = np.zeros(samples)
    for n, anchor, other in itertools.product(range(samples), *[range(count)] * 2):
        if anchor == other:
            continue
        positive = np.exp(units[n, anchor] @ units[n, other] / 0.2)
        rivals = np.exp(fixed[is_negative[n]] @ units[n, anchor] / 0.2).sum()
        expected[n] -= np.log(positive / (positive + rivals)) / (count * (count - 1))
    got = nt_xent_per_sample(z, negatives, 0.2, is_negative)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    alone = nt_xent_per_sample(z[1:2], negatives, 0.2, is_negative[1:2])
    np.testing.assert_allclose(alone, got[1:2], rtol=1e-6)


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_per_sample_whatever_the_default_of_keras(floatx):
    z, negatives = views(4).transpose(1, 0, 2), views(7)[0]
    expected = nt_xent_per_sample(z, negatives)
    keras.config.set_floatx(floatx)
    try:
        got = nt_xent_per_sample(z, negatives)
    finally:
        keras.config.set_floatx("float32")
    assert got.dtype == tf.float32
    np.testing.assert_array_equal(got, expected)


def test_survives_a_config():
    loss = keras.losses.deserialize(keras.losses.serialize(NTXent(0.2, name="n")))
    assert (loss.temperature, loss.name) == (0.2, "n")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 8), (5, 8)), "same number of first and second views"),
        (((4, 8), (4, 7)), r"\(4, 8\) and \(4, 7\)"),
        (((1, 8), (1, 8)), "one alone has no negatives"),
        (((4, 2, 8), (4, 2, 8)), r"two views \(N, d\)"),
    ],
)
def test_views_that_do_not_pair_are_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        NTXent()(np.ones(shapes[0], "float32"), np.ones(shapes[1], "float32"))


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be above 0"):
        NTXent(0.0)


def test_one_view_of_each_sample_has_no_positive():
    with pytest.raises(ValueError, match=r"two views or more.*\(3, 1, 8\)"):
        nt_xent_per_sample(np.ones((3, 1, 8), "float32"), np.ones((5, 8), "float32"))
