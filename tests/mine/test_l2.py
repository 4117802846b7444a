"""The L2 baseline, and the base class that differentiates for it."""

import numpy as np
import tensorflow as tf

from uae_tf import L2Similarity
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
