"""Models trained one after the other with one compiled step, against fresh ones."""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import CLAE, models
from uae_tf.models import ConcreteAutoencoder, SimCLR, SimCLRAugment, concrete_decoder
from uae_tf.training import retrain
from uae_tf.training.compiled_once import CompiledOnce

IMAGES = np.random.default_rng(0).random((24, 8, 8, 3)).astype("float32")


def concrete():
    """Draws noise, drops out and cools."""
    shape = IMAGES.shape[1:]
    model = ConcreteAutoencoder(3, concrete_decoder(192, dropout=0.2), shape)
    model.annealing_steps = 5
    rate = keras.optimizers.schedules.CosineDecay(0.01, 5)
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=False)
    return model


def contrastive(kind):
    """Draws views, and normalizes by batches."""
    inputs = keras.Input(IMAGES.shape[1:])
    maps = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    encoder = keras.Model(inputs, layers.Dense(8)(layers.Flatten()(maps)))
    model = kind(encoder, augment=SimCLRAugment())
    model.compile("sgd", jit_compile=False)
    return model


def adversarial():
    """Three optimizers."""
    model = models.AdversarialAutoencoder(IMAGES.shape[1:], hidden_units=8)
    model.compile("adam", "mse", jit_compile=False)
    return model


@pytest.mark.parametrize(
    "factory",
    [
        lambda: models.build("dense", IMAGES.shape[1:]),
        adversarial,
        concrete,
        pytest.param(lambda: contrastive(SimCLR), marks=pytest.mark.slow),
        pytest.param(lambda: contrastive(CLAE), marks=pytest.mark.slow),
        pytest.param(
            lambda: models.build("conv", IMAGES.shape[1:]), marks=pytest.mark.slow
        ),
    ],
    ids=["dense", "adversarial", "concrete", "simclr", "clae", "conv"],
)
def test_a_later_training_is_that_of_a_fresh_model(factory):
    kept = CompiledOnce(factory, 1)
    other, _ = trained(kept, seed=1)
    found, history = trained(kept, seed=0)
    wanted, wanted_history = trained(factory, seed=0)
    for array, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert history == wanted_history
    assert any(np.any(a != b) for a, b in zip(found, other, strict=True))


def trained(factory, seed):
    run = retrain(factory, IMAGES, updates=5, batch_size=8, seed=seed)
    return run.model.get_weights(), run.history


def test_the_step_is_traced_once():
    traces = []

    class Counting(keras.Sequential):
        def train_step(self, batch):
            traces.append(1)
            return super().train_step(batch)

    def factory():
        model = Counting([keras.Input((4,)), layers.Dense(4)])
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    kept = CompiledOnce(factory, 5)
    for seed in range(3):
        retrain(kept, np.ones((10, 4)), updates=100, batch_size=5, seed=seed)
    assert len(traces) == 1
