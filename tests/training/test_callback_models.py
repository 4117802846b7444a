"""The callback on every kind of model, and what is left of it in a saved one."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import (
    AugmentedDataset,
    GaussianMI,
    MinMaxAttack,
    PGDAttack,
    Reconstruction,
    UAECallback,
    UntargetedMargin,
    models,
)

SIZE = 6
X = np.random.default_rng(0).uniform(size=(24, SIZE)).astype(np.float32)


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(4, "relu")
        self.out = layers.Dense(SIZE, "sigmoid")

    def call(self, x):
        return self.out(self.hidden(x))


def functional():
    x = keras.Input((SIZE,))
    return keras.Model(x, layers.Dense(SIZE, "sigmoid")(layers.Dense(4, "relu")(x)))


def sequential():
    return keras.Sequential([keras.Input((SIZE,)), layers.Dense(SIZE, "sigmoid")])


def subclassed():
    model = Subclassed()
    model(X[:1])
    return model


KINDS = {
    "functional": functional,
    "sequential": sequential,
    "subclassed": subclassed,
    "adversarial": lambda: models.AdversarialAutoencoder((SIZE,), latent_dim=2),
    "concrete": lambda: models.ConcreteAutoencoder(3, input_shape=(SIZE,)),
}


def trained(model):
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    attack = MinMaxAttack(
        Reconstruction(model), GaussianMI(), steps=5, initial_multiplier=100.0
    )
    data = AugmentedDataset(X, batch_size=16)
    callback = UAECallback(data, attack, phase_epochs=2, verbose=0)
    history = model.fit(data, epochs=5, callbacks=[callback], verbose=0).history
    return history, callback, data, attack


@pytest.mark.parametrize("kind", KINDS)
def test_phases_in_the_fit_of_every_kind_of_model(kind):
    keras.utils.set_random_seed(0)
    history, callback, data, attack = trained(KINDS[kind]())
    assert [record.epoch for record in callback.history] == [2, 4]
    assert all(record.attacked == len(X) for record in callback.history)
    assert callback.history[-1].success_rate > 0
    assert data.active.any()
    assert history["uae_phase"] == [0, 0, 1, 1, 2]
    assert np.all(np.isfinite(history["loss"]))
    assert attack.num_traces == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((24, 1), int), r"integers, shape \(N,\).*\(24, 1\)"),
        (np.eye(2)[np.zeros(24, int)], "looks one-hot"),
        (None, "none came"),
    ],
    ids=["column", "one-hot", "none"],
)
def test_labels_that_the_attack_refuses_are_refused_before_training(labels, message):
    model = keras.Sequential([keras.Input((SIZE,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    data = AugmentedDataset(X, labels, batch_size=8)
    callback = UAECallback(data, PGDAttack(UntargetedMargin(model), epsilon=0.1))
    with pytest.raises(ValueError, match=message):
        model.fit(data, epochs=2, callbacks=[callback], verbose=0)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_plain_keras_loads_a_model_trained_with_it(tmp_path):
    model = functional()
    trained(model)
    path = tmp_path / "model.keras"
    model.save(path)
    program = (
        "import sys; sys.modules['uae_tf'] = None\n"
        "import keras, numpy\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "numpy.save(sys.argv[2], model(numpy.load(sys.argv[3])))\n"
    )
    np.save(tmp_path / "x.npy", X)
    outputs = tmp_path / "outputs.npy"
    arguments = [str(path), str(outputs), str(tmp_path / "x.npy")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    np.testing.assert_allclose(np.load(outputs), model(X), atol=1e-6)
