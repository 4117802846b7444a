"""f of reconstruction, by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import Reconstruction


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4, 3, 2)),
            layers.Conv2D(3, 2, padding="same", activation="relu"),
            layers.Conv2D(2, 2, padding="same"),
        ]
    )


@pytest.fixture
def pairs():
    generator = np.random.default_rng(0)
    x = generator.random((5, 4, 3, 2), dtype=np.float32)
    noise = generator.uniform(-0.3, 0.3, x.shape).astype(np.float32)
    return x, (x + noise).clip(0, 1)


@pytest.mark.parametrize("kappa", [0.0, 0.25, -0.1])
@pytest.mark.parametrize("norm", ["l2", "squared"])
def test_formula(model, pairs, norm, kappa):
    x, examples = pairs

    def loss(samples):
        error = (x - model(samples, training=False).numpy()).reshape(5, -1)
        squares = np.sum(error.astype(np.float64) ** 2, axis=1)
        return squares if norm == "squared" else np.sqrt(squares)

    f, baseline = Reconstruction(model, norm, kappa).evaluate(x, examples)
    np.testing.assert_allclose(baseline, loss(x), rtol=1e-5)
    np.testing.assert_allclose(f, loss(examples) - loss(x) + kappa, atol=1e-5)


def test_norms_agree_on_success(model, pairs):
    values = [Reconstruction(model, n).evaluate(*pairs)[0] for n in ("l2", "squared")]
    np.testing.assert_array_equal(values[0] <= 0, values[1] <= 0)
    assert np.any(values[0] <= 0)
    assert np.any(values[0] > 0)


def test_unperturbed_samples_give_kappa(model, pairs):
    x, _ = pairs
    f, _ = Reconstruction(model, kappa=0.5).evaluate(x, x)
    np.testing.assert_array_equal(f, np.full(5, 0.5, np.float32))


def test_unknown_norm(model):
    with pytest.raises(ValueError, match=r'`norm` must be "l2".*Received: norm=\'l1\''):
        Reconstruction(model, norm="l1")


class Encoder(keras.Model):
    def __init__(self):
        super().__init__(name="encoder")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def encoder():
    model = Encoder()
    model(np.zeros((1, 4), "float32"))
    return model


def two_headed():
    inputs = keras.Input((4,))
    outputs = {name: layers.Dense(4)(inputs) for name in ("mean", "spread")}
    return keras.Model(inputs, outputs, name="two_headed")


@pytest.mark.parametrize(
    ("build", "received"),
    [
        (encoder, r"'encoder' maps samples of shape \(4,\) to \(2,\)"),
        (two_headed, r"'two_headed' maps samples .* to \{'mean': \(4,\)"),
    ],
)
def test_outputs_must_fit_the_input(build, received):
    criterion = Reconstruction(build())
    with pytest.raises(ValueError, match=f"output fits its input.*{received}"):
        criterion.check(np.zeros((3, 4), np.float32), None)


def test_configuration(model):
    criterion = Reconstruction(model, "squared", kappa=0.5)
    config = keras.saving.serialize_keras_object(criterion)
    assert config["registered_name"] == "uae_tf>Reconstruction"
    assert config["config"] == {"norm": "squared", "kappa": 0.5}
    again = Reconstruction.from_config(config["config"], model)
    assert again.model is model
    assert repr(again) == repr(criterion)


def test_a_subclassed_model_that_does_not_take_the_samples():
    model = Encoder()
    model(np.zeros((1, 2), "float32"))
    with pytest.raises(
        ValueError, match=r"`x` does not fit the model 'encoder'.*\(3,\).*axis -1"
    ):
        Reconstruction(model).check(np.zeros((1, 3), "float32"), None)
