import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import Divergence


def classifier(**last):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, **last)])


@pytest.fixture
def pairs():
    return np.random.default_rng(0).random((2, 5, 3)).astype("float32")


def test_f_is_kappa_minus_the_divergence(pairs):
    x, examples = pairs
    model = classifier()
    f, baseline = Divergence(model, kappa=0.02).evaluate(x, examples, batch_size=2)
    log_p, log_q = (
        np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        for z in (model(x).numpy(), model(examples).numpy())
    )
    divergence = np.sum(np.exp(log_p) * (log_p - log_q), axis=1)
    np.testing.assert_allclose(f, 0.02 - divergence, atol=1e-6)
    np.testing.assert_array_equal(baseline, 0.0)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_are_refused(activation, pairs):
    criterion = Divergence(classifier(activation=activation))
    with pytest.raises(ValueError, match=f"must return logits.*ends in a {activation}"):
        criterion.evaluate(*pairs)


def test_what_is_no_row_of_logits_is_refused(pairs):
    model = keras.Sequential([classifier(), keras.layers.Reshape((2, 2))])
    with pytest.raises(ValueError, match=r"\(batch, classes\).*\(3,\) to \(2, 2\)"):
        Divergence(model).evaluate(*pairs)
    single = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="two classes or more"):
        Divergence(single).evaluate(*pairs)


def test_without_a_margin_every_attack_succeeds(pairs):
    """The divergence of neighbours rounds to a little below 0 as to above."""
    x = np.repeat(pairs[0], 20, axis=0)
    noise = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    criterion = Divergence(classifier(), kappa=0.0)
    examples = x + 1e-4 * noise
    assert np.all(criterion.evaluate(x, examples)[0] <= 0.0)
    x, examples = tf.constant(x), tf.constant(examples)
    context = criterion.prepare(x, None, criterion.outputs(x))
    with tf.GradientTape() as tape:
        tape.watch(examples)
        f = criterion.value(criterion.outputs(examples), context)
    # An attack must still find its way where the divergence rounds to nothing.
    assert np.all(np.any(tape.gradient(f, examples) != 0.0, axis=1))
