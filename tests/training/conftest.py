import keras
import numpy as np
import pytest

from uae_tf.attacks import MinMaxAttack
from uae_tf.criteria import Reconstruction


def _conv_autoencoder(cls=keras.Model, **compile_settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    h = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    h = keras.layers.Dropout(0.1)(h)
    outputs = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    model = cls(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-2), "mse", **compile_settings)
    return model


def _short_attack(model, **settings):
    settings = {"steps": 3, "initial_noise": 0.2, "similarity": None, **settings}
    return MinMaxAttack(Reconstruction(model, kappa=-0.1), **settings)


@pytest.fixture
def conv_autoencoder():
    """A function that builds the same small model each time."""
    return _conv_autoencoder


@pytest.fixture
def short_attack():
    """A function that builds a real attack of few steps."""
    return _short_attack


@pytest.fixture
def images():
    return np.random.default_rng(0).random((24, 8, 8, 1)).astype("float32")
