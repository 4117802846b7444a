import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from uae_tf.models import AdversarialAutoencoder

PARTS = ("encoder", "decoder", "discriminator")
TRACKED = {"loss", "mse", "discriminator_loss", "encoder_loss"}


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = AdversarialAutoencoder((8, 8, 1), latent_dim=3, hidden_units=16)
    optimizer = keras.optimizers.Adam(1e-3)
    metrics = [keras.metrics.MeanSquaredError(name="mse")]
    model.compile(optimizer=optimizer, loss="mse", metrics=metrics)
    # Compiled metrics, `loss` among them, exist from the first `fit` on.
    model.evaluate(np.zeros((2, 8, 8, 1), "float32"), verbose=0)
    return model


def moved(model, step):
    before = {part: getattr(model, part).get_weights() for part in PARTS}
    step()
    return [
        part
        for part in PARTS
        if not all(
            map(np.array_equal, before[part], getattr(model, part).get_weights())
        )
    ]


def test_each_step_moves_only_its_own_parts(model, digits):
    x = keras.ops.convert_to_tensor(digits.x_train[:32])
    assert moved(model, lambda: model.reconstruction_step(x)) == ["encoder", "decoder"]
    assert moved(model, lambda: model.discriminator_step(x)) == ["discriminator"]
    assert moved(model, lambda: model.encoder_step(x)) == ["encoder"]


@pytest.mark.parametrize(
    "scaled",
    [
        lambda: keras.optimizers.SGD(0.1, loss_scale_factor=1024.0),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
    ],
)
def test_a_scale_of_the_loss_changes_no_step(scaled, digits):
    x = keras.ops.convert_to_tensor(digits.x_train[:32])
    found = []
    for make in (lambda: keras.optimizers.SGD(0.1), scaled):
        keras.utils.set_random_seed(0)
        model = AdversarialAutoencoder((8, 8, 1), latent_dim=3, hidden_units=16, seed=0)
        model.compile(make(), "mse")
        model.discriminator_step(x)
        model.encoder_step(x)
        found.append([model.discriminator.get_weights(), model.encoder.get_weights()])
    for plain, other in zip(*map(keras.tree.flatten, found), strict=True):
        np.testing.assert_allclose(other, plain, atol=1e-7)


def test_fit_and_evaluate_report_the_same_numbers(model, digits):
    x = digits.x_train[:64]
    history = model.fit(x, validation_data=(x, x), batch_size=24, verbose=0).history
    assert set(history) == TRACKED | {f"val_{name}" for name in TRACKED}
    # Of batches of 24, 24 and 16, each sample counts alike.
    for prefix in ("", "val_"):
        loss, mse = (history[f"{prefix}{name}"] for name in ("loss", "mse"))
        assert loss == pytest.approx(mse, rel=1e-5)
    result = model.evaluate(x, verbose=0, return_dict=True)
    assert result["loss"] == pytest.approx(result["mse"], rel=1e-5)


def test_evaluate_repeats_and_moves_nothing(model, digits):
    x = digits.x_train[:64]
    first = model.evaluate(x, verbose=0, return_dict=True)
    assert moved(model, lambda: model.evaluate(x, verbose=0)) == []
    assert model.evaluate(x, verbose=0, return_dict=True) == first


def mean_logit(model, codes):
    return float(np.mean(model.discriminator(codes)))


def test_discriminator_learns_what_it_is_shown_and_the_encoder_to_pass(model, digits):
    x = keras.ops.convert_to_tensor(digits.x_train[:256])
    model.discriminator_optimizer.learning_rate = 0.01
    for _ in range(30):
        model.discriminator_step(x)
    # The untrained codes lie close together, so N(0, I) is easy to tell apart.
    loss = model.evaluate(x, verbose=0, return_dict=True)["discriminator_loss"]
    assert loss < 0.6 < np.log(2)
    # What it takes for the prior is the prior, and the encoder moves its codes there.
    prior = np.random.default_rng(0).normal(size=(256, 3)).astype("float32")
    before = mean_logit(model, model.encoder(x))
    assert mean_logit(model, prior) > before + 0.5
    for _ in range(3):
        model.encoder_step(x)
    assert mean_logit(model, model.encoder(x)) > before + 0.01


def test_the_samples_of_the_prior_follow_the_seed(model, digits):
    x, found = keras.ops.convert_to_tensor(digits.x_train[:32]), []
    for number, seed in enumerate((5, 5, 6)):
        keras.utils.set_random_seed(number)
        other = AdversarialAutoencoder(
            (8, 8, 1), latent_dim=3, hidden_units=16, seed=seed
        )
        other.set_weights(model.get_weights())
        other.compile(keras.optimizers.SGD(0.1), "mse")
        other.discriminator_step(x)
        found.append(other.discriminator.get_weights()[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert np.any(found[0] != found[2])


@pytest.mark.parametrize("frozen", PARTS)
def test_the_rest_trains_where_a_part_is_frozen(model, digits, frozen):
    getattr(model, frozen).trainable = False
    model.compile("adam", "mse")
    found = moved(model, lambda: model.fit(digits.x_train[:32], verbose=0))
    assert found == [part for part in PARTS if part != frozen]


def test_three_optimizers_with_the_same_settings(model):
    optimizers = [
        model.optimizer,
        model.discriminator_optimizer,
        model.encoder_optimizer,
    ]
    assert len({id(optimizer) for optimizer in optimizers}) == 3
    for optimizer in optimizers:
        assert float(optimizer.learning_rate) == pytest.approx(1e-3)


def test_optimizers_of_ones_own_survive_saving(model, digits, tmp_path):
    model.compile(
        optimizer="adam",
        discriminator_optimizer=keras.optimizers.SGD(0.5),
        encoder_optimizer=keras.optimizers.Adam(0.25),
    )
    model.fit(digits.x_train[:32], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.discriminator_optimizer, keras.optimizers.SGD)
    assert float(loaded.discriminator_optimizer.learning_rate) == 0.5
    assert float(loaded.encoder_optimizer.learning_rate) == 0.25
    assert int(loaded.encoder_optimizer.iterations) == 1


def test_discriminator_is_saved(model, digits, tmp_path):
    model.fit(digits.x_train[:64], verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    code = np.ones((2, 3), "float32")
    expected = model.discriminator(code)
    np.testing.assert_array_equal(loaded.discriminator(code), expected)


def test_code_activation_is_selectable(digits):
    make = AdversarialAutoencoder
    sigmoid = make((8, 8, 1), code_activation="sigmoid", hidden_units=16)
    code = sigmoid.encoder(digits.x_test).numpy()
    assert code.shape == (360, 2)
    assert code.min() > 0.0
    assert code.max() < 1.0
    assert make((8, 8, 1), hidden_units=16).encoder(digits.x_test).numpy().min() < 0.0


@pytest.mark.slow
def test_two_devices_train_as_one_does():
    found = subprocess.run(
        [sys.executable, Path(__file__).with_name("mirrored_adversarial.py")],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    one, two = (json.loads(found.stdout.splitlines()[-1])[k] for k in ("one", "two"))
    for kind in ("logs", "evaluated"):
        for name in ("loss", "encoder_loss"):
            assert two[kind][name] == pytest.approx(one[kind][name], rel=1e-5)
    for expected, weights in zip(one["encoder"], two["encoder"], strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-6)
    # By other random samples, but as far: not twice as far.
    assert two["moved"] == pytest.approx(one["moved"], rel=0.1)


def test_refuses_no_hidden_units():
    with pytest.raises(ValueError, match="Received: hidden_units=0"):
        AdversarialAutoencoder((8, 8, 1), hidden_units=0)
