"""The L2 baseline, and the base class that differentiates for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import L2Similarity, MinMaxAttack, UntargetedMargin
from uae_tf.mine import Similarity


def test_value_is_minus_the_distance():
    x = tf.constant([[1.0, 2.0], [0.0, 0.0]])
    outputs = tf.constant([[4.0, 6.0], [0.0, 0.0]])
    similarity = L2Similarity()
    features = similarity.features(x, None, outputs, None)
    state = similarity.prepare(x, features, None)
    state, value, gradient = similarity.update(state, features, tf.constant(0))
    assert value.numpy().tolist() == [-5.0, 0.0]
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


def test_the_base_class_differentiates_value():
    class Product(Similarity):
        def value(self, state, features):
            return tf.reduce_sum(state * features**2, axis=1)

    x, examples = tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 5.0]])
    similarity = Product()
    assert similarity.for_model(None) is similarity
    assert similarity.observed_layer(None) is None
    features = similarity.features(x, examples, None, None)
    state = similarity.prepare(x, features, None)
    state, value, gradient = similarity.update(state, features, tf.constant(0))
    assert value.numpy().tolist() == [59.0]
    assert gradient.numpy().tolist() == [[6.0, 20.0]]
    assert similarity.from_config(similarity.get_config()).get_config() == {}


@pytest.mark.parametrize("count", [1, 6, 9])
def test_a_model_that_reconstructs_nothing_is_refused(count):
    """Logits of one sample, or of as many as there are rows, would broadcast."""
    model = keras.Sequential(
        [keras.Input((9, 9, 1)), layers.Flatten(), layers.Dense(3)]
    )
    attack = MinMaxAttack(UntargetedMargin(model), L2Similarity(), steps=2)
    x = np.random.default_rng(0).random((count, 9, 9, 1)).astype(np.float32)
    message = r"L2Similarity compares.*\(9, 9, 1\) and outputs of \(3,\)"
    with pytest.raises(ValueError, match=message):
        attack(x, np.zeros(count, int))


@pytest.mark.parametrize("keepdims", [True, False])
def test_a_value_that_is_not_one_number_per_sample(keepdims):
    class Wrong(Similarity):
        def value(self, state, features):
            axis = 1 if keepdims else None
            return tf.reduce_sum(features, axis=axis, keepdims=keepdims)

    x = tf.ones((3, 2))
    with pytest.raises(ValueError, match=r"Wrong.value must return one number per"):
        Wrong().update(x, x, tf.constant(0))
