"""Projected gradient descent, against closed forms on a linear model."""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import Divergence, PGDAttack, Reconstruction


@pytest.fixture(scope="module")
def linear():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6,)), layers.Dense(6, use_bias=False)])


def gradient(model, x, examples):
    """Of ``||x - examples W||`` with respect to the examples."""
    weights = model.get_weights()[0]
    error = x - examples @ weights
    return -error @ weights.T / np.linalg.norm(error, axis=1, keepdims=True)


def test_one_step_is_fgsm(linear, x):
    attack = PGDAttack(
        Reconstruction(linear),
        epsilon=0.1,
        steps=1,
        step_size=0.1,
        random_start=False,
    )
    expected = (x - 0.1 * np.sign(gradient(linear, x, x))).clip(0, 1)
    np.testing.assert_allclose(attack(x).examples, expected, atol=1e-6)


def test_l2_steps_follow_the_gradient(linear, x):
    attack = PGDAttack(
        Reconstruction(linear),
        epsilon=0.3,
        steps=1,
        step_size=0.3,
        norm="l2",
        random_start=False,
    )
    slope = gradient(linear, x, x)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    result = attack(x)
    np.testing.assert_allclose(result.examples, (x - 0.3 * slope).clip(0, 1), atol=1e-6)
    assert np.all(result.l2 <= 0.3 + 1e-6)


def test_l2_steps_have_their_length_where_the_gradient_is_tiny():
    """A gap of 56 between logits makes probabilities, and gradients, of 1e-24."""
    model = keras.Sequential([keras.Input((64,)), layers.Dense(2)])
    model.set_weights(
        [np.tile(np.float32([1, -1]), (64, 1)), np.float32([-20.0, 20.0])]
    )
    x = np.full((8, 64), 0.75, np.float32)
    np.testing.assert_allclose(np.diff(model(x)), -56.0, rtol=1e-6)
    for norm, epsilon in (("linf", 0.5), ("l2", 4.0)):
        attack = PGDAttack(Divergence(model), epsilon=epsilon, norm=norm)
        assert attack(x).success.all()


def test_steps_lower_the_criterion(linear, x):
    attack = PGDAttack(Reconstruction(linear), epsilon=0.3, steps=20)
    result = attack(x, trace=True)
    f = result.trace["criterion"]
    assert np.all(f[-1] < f[0])
    np.testing.assert_array_equal(result.criterion, f[1:].min(axis=0))
    assert np.isnan(result.similarity).all()


def test_the_sample_itself_is_no_success(linear, x):
    # From x, a step that can only overshoot: f is 0 at x and positive after it.
    attack = PGDAttack(
        Reconstruction(linear), epsilon=1.0, steps=1, step_size=1.0, random_start=False
    )
    result = attack(x)
    np.testing.assert_array_equal(result.success, result.criterion <= 0.0)
    assert np.all(result.l2 > 0.0)


def test_default_step_size():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6)])
    attack = PGDAttack(Reconstruction(model), epsilon=0.2, steps=10)
    assert attack.step_size == pytest.approx(0.05)
    assert attack.get_config()["step_size"] == attack.step_size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "l1"}, r"`norm` must be \"linf\" or \"l2\". Received: norm='l1'"),
        ({"steps": 0}, r"`steps` and `epsilon` must be positive.*steps=0"),
        ({"epsilon": 0.0}, r"`steps` and `epsilon` must be positive.*epsilon=0.0"),
    ],
)
def test_settings_out_of_range(criterion, settings, message):
    with pytest.raises(ValueError, match=message):
        PGDAttack(criterion, **settings)


def test_a_criterion_is_needed(model):
    with pytest.raises(TypeError, match=r"`criterion` must be a uae_tf criterion"):
        PGDAttack(model)
