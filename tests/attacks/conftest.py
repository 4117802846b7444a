"""A small model, samples for it, and an attack that cannot be wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import Reconstruction
from uae_tf.attacks import Attack
from uae_tf.attacks.attack import Outcome


@pytest.fixture(scope="session")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4, activation="tanh"),
            layers.Dense(6, activation="sigmoid"),
        ],
        name="small",
    )


@pytest.fixture(scope="session")
def criterion(model):
    return Reconstruction(model)


@pytest.fixture
def x():
    generator = np.random.default_rng(0)
    return generator.uniform(-0.2, 1.2, (7, 6)).clip(0, 1).astype(np.float32)


class Shift(Attack):
    """Adds the sample's id, in hundredths."""

    def perturb(self, x, y, seeds, trace):
        delta = tf.cast(seeds[:, 1:], tf.float32) / 100.0
        values = tf.cast(seeds[:, 0], tf.float32)
        everything = tf.ones_like(values, tf.bool)
        return Outcome(x + delta, everything, values, values, everything, {})


@pytest.fixture
def shift():
    return Shift(None)
