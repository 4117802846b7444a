"""`FusedBatchNormalization` gives Keras's numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.models import ConvolutionalClassifier
from uae_tf.models.fused_norm import FusedBatchNormalization

RNG = np.random.default_rng(0)


def pair(shape, **settings):
    """Keras's layer and ours with the same random weights."""
    layers = (
        keras.layers.BatchNormalization(**settings),
        FusedBatchNormalization(**settings),
    )
    for layer in layers:
        layer.build((None, *shape))
    weights = [RNG.uniform(0.5, 1.5, w.shape) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def outcome(layer, x, training=True):
    """Output, gradients and the statistics afterwards."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.sin(y))
        variables = [v.value for v in layer.trainable_variables]
        return y, *tape.gradient(loss, [x, *variables])

    found = [t.numpy() for t in step(tf.constant(x))]
    return found + [w.numpy() for w in layer.non_trainable_variables]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(5, 4, 3), (7,)])
def test_output_gradients_and_statistics_are_those_of_keras(shape, training):
    x = RNG.normal(2.0, 3.0, (6, *shape)).astype("float32")
    theirs, ours = pair(shape, momentum=0.9, epsilon=1e-6)
    for wanted, found in zip(
        outcome(theirs, x, training), outcome(ours, x, training), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("settings", [{"scale": False}, {"center": False}, {"axis": 1}])
def test_what_the_kernel_does_not_do_is_left_to_keras(settings):
    x = RNG.normal(size=(6, 5, 4, 3)).astype("float32")
    theirs, ours = pair(x.shape[1:], **settings)
    for wanted, found in zip(outcome(theirs, x), outcome(ours, x), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_frozen_layers_normalise_by_their_statistics():
    x = RNG.normal(size=(6, 5, 4, 3)).astype("float32")
    _, layer = pair(x.shape[1:])
    layer.trainable = False
    before = layer.moving_mean.numpy()
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    np.testing.assert_array_equal(layer.moving_mean, before)


def test_a_stateless_pass_leaves_no_trace():
    x = RNG.normal(size=(6, 5, 4, 3)).astype("float32")
    _, layer = pair(x.shape[1:])
    before = layer.moving_mean.numpy()
    with keras.StatelessScope():
        layer(x, training=True)
    np.testing.assert_array_equal(layer.moving_mean, before)
    layer(x, training=True)
    assert np.abs(layer.moving_mean.numpy() - before).max() > 1e-3


def test_half_precision_keeps_statistics_in_float32():
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    x = RNG.normal(size=(6, 5, 4, 3)).astype("float32")
    assert layer(x, training=True).dtype == tf.bfloat16
    assert layer.moving_mean.numpy().dtype == np.float32


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_dtypes_the_kernel_does_not_know_are_left_to_keras(dtype):
    x = RNG.normal(size=(6, 5, 4, 3)).astype("float32")
    theirs, ours = pair(x.shape[1:], dtype=dtype)
    for wanted, found in zip(outcome(theirs, x), outcome(ours, x), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_maps_that_are_not_cast_are_left_to_keras():
    x = RNG.normal(size=(6, 5, 4, 3))
    theirs, ours = pair(x.shape[1:], autocast=False)
    np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))


def test_the_classifier_is_normalised_so_and_can_be_saved(tmp_path):
    model = ConvolutionalClassifier((12, 12, 3), 4, width=2)
    kinds = {type(layer) for layer in model.layers if "norm" in layer.name}
    assert kinds == {FusedBatchNormalization}
    model.save(tmp_path / "classifier.keras")
    other = keras.models.load_model(tmp_path / "classifier.keras")
    x = RNG.random((3, 12, 12, 3)).astype("float32")
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), other.predict(x, verbose=0)
    )
