import keras
import numpy as np
import pytest

from uae_tf import (
    AugmentedDataset,
    Divergence,
    PGDAttack,
    Reconstruction,
    UAECallback,
    VirtualAdversarialPerturbation,
)


@pytest.fixture(scope="module")
def linear():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0.3, 0.7, (5, 6)).astype("float32")


def test_on_a_linear_model_the_step_is_along_the_normal(linear, x):
    weights = linear.layers[0].kernel.numpy()
    normal = weights[:, 1] - weights[:, 0]
    attack = VirtualAdversarialPerturbation(Divergence(linear, 0.0), epsilon=0.2)
    result = attack(x, batch_size=3)
    delta = result.examples - x
    cosines = delta @ normal / np.linalg.norm(normal) / np.linalg.norm(delta, axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1.0, atol=1e-4)
    np.testing.assert_allclose(result.l2, 0.2, rtol=1e-4)


def test_it_moves_predictions_further_than_random_steps_of_its_length(linear, x):
    def divergence(iterations):
        attack = VirtualAdversarialPerturbation(
            Divergence(linear, kappa=0.0), epsilon=0.2, power_iterations=iterations
        )
        return -attack(x).criterion

    assert np.all(divergence(1) > divergence(0))


def test_the_gradient_is_taken_at_a_step_of_length_xi(x):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    near, far = (
        VirtualAdversarialPerturbation(Divergence(model, 0.0), epsilon=0.2, xi=xi)(x)
        for xi in (1e-2, 5.0)
    )
    # So far away the divergence is no parabola any more.
    differs = np.abs(near.examples - far.examples).max(axis=1)
    assert np.all(differs > 1e-3)
    np.testing.assert_allclose(far.l2, near.l2, rtol=1e-4)


def test_other_attacks_take_its_criterion(linear, x):
    step = VirtualAdversarialPerturbation(Divergence(linear, 0.0), epsilon=0.2)(x)
    criterion = Divergence(linear, 0.0)
    attack = PGDAttack(
        criterion, norm="l2", epsilon=0.2, step_size=0.05, steps=40, restarts=4
    )
    # Restarts find the better of the two signs that one step chooses between.
    assert np.all(attack(x).criterion <= step.criterion + 1e-5)


def test_it_makes_examples_within_fit(linear, x):
    data = AugmentedDataset(x, np.arange(5) % 2, batch_size=5)
    attack = VirtualAdversarialPerturbation(Divergence(linear, 0.0), epsilon=0.1)
    callback = UAECallback(data, attack, phase_epochs=1)
    linear.fit(data, epochs=2, callbacks=[callback], verbose=0)
    assert callback.history[-1].l2 == pytest.approx(0.1, rel=1e-3)
    assert data.active.all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": 0.0}, "`epsilon` must be positive.*0.0"),
        ({"xi": -1.0}, "`xi` must be positive.*-1.0"),
        ({"power_iterations": -1}, "`power_iterations` must be at least 0.*-1"),
    ],
)
def test_settings_that_mean_nothing(linear, settings, message):
    with pytest.raises(ValueError, match=message):
        VirtualAdversarialPerturbation(Divergence(linear), **settings)


def test_another_criterion_is_refused(linear):
    with pytest.raises(TypeError, match=r"must be a uae_tf\.Divergence"):
        VirtualAdversarialPerturbation(Reconstruction(linear))
