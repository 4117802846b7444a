"""The one-liner picks criterion and views from the model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import uae_tf
from uae_tf.attacks.one_line import _reference
from uae_tf.models import SimCLR

SMALL = {"steps": 3, "similarity": uae_tf.GaussianMI()}


def test_it_equals_the_long_form(model, criterion, x):
    short = uae_tf.attack(model, x, seed=2, batch_size=4, trace=True, **SMALL)
    attack = uae_tf.MinMaxAttack(criterion, seed=2, **SMALL)
    long = attack(x, batch_size=4, trace=True)
    np.testing.assert_array_equal(short.examples, long.examples)
    assert set(short.trace) == {"criterion", "similarity", "multiplier"}


def test_datasets(model, x):
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(3)
    short = uae_tf.attack(model, dataset, **SMALL)
    expected = uae_tf.attack(model, x, **SMALL)
    np.testing.assert_array_equal(short.examples, expected.examples)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (lambda x: x * 300, ValueError, "`x` has values outside"),
        (lambda x: (x * 255).astype("uint8"), TypeError, "`x` must be floating"),
        (lambda x: x[:1], ValueError, "`x` must hold 2 samples or more for a SimCLR"),
    ],
)
def test_a_simclr_blames_what_it_was_given(images, error, message):
    inputs = keras.Input((4, 4, 3))
    model = SimCLR(keras.Model(inputs, layers.Flatten()(inputs)))
    x = np.random.default_rng(0).random((4, 4, 4, 3)).astype("float32")
    with pytest.raises(error, match=message):
        uae_tf.attack(model, images(x), **SMALL)


def test_a_simclr_and_datasets_that_hold_no_samples():
    inputs = keras.Input((4, 4, 3))
    model = SimCLR(keras.Model(inputs, layers.Flatten()(inputs)))
    x = np.zeros((4, 4, 4, 3), np.float32)
    empty = tf.data.Dataset.from_tensor_slices(x).take(0).batch(2)
    with pytest.raises(ValueError, match=r"`x` is an empty tf\.data\.Dataset"):
        uae_tf.attack(model, empty, **SMALL)
    named = tf.data.Dataset.from_tensor_slices({"image": x}).batch(2)
    with pytest.raises(TypeError, match=r"yields batches of x or of \(x, y\)"):
        uae_tf.attack(model, named, **SMALL)


@pytest.mark.parametrize("count", [255, 300, 511, 700])
def test_the_reference_is_spread_over_all_samples(count):
    x = np.linspace(0.0, 1.0, count)[:, None]
    reference = _reference(x, (0.0, 1.0))
    assert len(np.unique(reference)) == min(256, count)
    assert (reference[0], reference[-1]) == (0.0, 1.0)
    assert np.diff(reference, axis=0).max() < 4 / count


def test_a_classifier_is_refused(x):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(10)], name="classifier")
    with pytest.raises(ValueError, match=r"output fits its input.*'classifier'"):
        uae_tf.attack(model, x, **SMALL)


def test_unknown_settings_are_refused(model, x):
    with pytest.raises(TypeError, match="num_steps"):
        uae_tf.attack(model, x, num_steps=3)


def test_a_preset_is_that_of_the_long_form(model, criterion, x):
    short = uae_tf.attack(model, x, preset="strong", **SMALL)
    long = uae_tf.MinMaxAttack.from_preset("strong", criterion, **SMALL)(x)
    np.testing.assert_array_equal(short.examples, long.examples)
    assert not np.array_equal(short.l2, uae_tf.attack(model, x, **SMALL).l2)


def test_an_unknown_preset_is_refused(model, x):
    with pytest.raises(ValueError, match=r"`preset` must be one of.*'weak'"):
        uae_tf.attack(model, x, preset="weak")
