"""MinMaxAttack against Algorithm 1 of the paper, written out in numpy.

The model is linear, so that every gradient is known in closed form.
"""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import GaussianMI, MinMaxAttack, Reconstruction, UniformNoise

FEATURES = 6


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((FEATURES,)), layers.Dense(FEATURES, use_bias=False)]
    )


@pytest.fixture
def x():
    generator = np.random.default_rng(0)
    return generator.uniform(-0.1, 1.1, (5, FEATURES)).clip(0, 1).astype(np.float32)


def criterion_and_gradient(weights, x, delta):
    """``f = ||x - (x + delta) W|| - ||x - x W||`` and df/ddelta."""
    error = x - (x + delta) @ weights
    norm = np.linalg.norm(error)
    return norm - np.linalg.norm(x - x @ weights), -(weights @ error) / norm


def information_and_gradient(x, delta):
    """``-ln(1 - rho^2) / 2`` with ``rho = cos(x, x + delta)``, and dI/ddelta."""
    example = x + delta
    rho = x @ example / np.linalg.norm(x) / np.linalg.norm(example)
    slope = x / np.linalg.norm(x) / np.linalg.norm(example)
    slope = slope - rho * example / (example @ example)
    return -0.5 * np.log(1 - rho**2), rho / (1 - rho**2) * slope


def algorithm_1(weights, x, delta, c, *, steps, alpha, beta, epsilon, has_similarity):
    """One sample; returns the best example and the rows (f, I, c) of all iterates."""
    best, best_score, rows = None, np.inf, []
    for t in range(steps + 1):
        f, gradient_f = criterion_and_gradient(weights, x, delta)
        mi, gradient_mi = information_and_gradient(x, delta)
        if t > 0:
            c = max(0.0, (1 - beta / t**0.25) * c + beta * max(f, 0.0))
            score = mi if has_similarity else f
            if f <= 0 and score < best_score:
                best, best_score = x + delta, score
        rows.append((f, mi, c))
        step = c * gradient_f if f > 0 else 0.0 * gradient_f
        if has_similarity:
            step = step + gradient_mi
        delta = delta - alpha * step
        delta = np.clip(delta, np.maximum(-epsilon, -x), np.minimum(epsilon, 1 - x))
    return best, np.array(rows)


@pytest.mark.parametrize("has_similarity", [True, False])
@pytest.mark.parametrize("steps", [1, 12])
def test_whole_trajectories(model, x, steps, has_similarity):
    settings = {"steps": steps, "step_size": 0.02, "epsilon": 0.3, "seed": 4}
    attack = MinMaxAttack(
        Reconstruction(model),
        GaussianMI() if has_similarity else None,
        initial_noise=0.25,
        initial_multiplier=3.0,
        multiplier_step_size=0.2,
        **settings,
    )
    result = attack(x, trace=True)
    start = UniformNoise(0.25, seed=4)(x).examples - x
    weights = model.get_weights()[0].astype(np.float64)
    for row in range(len(x)):
        best, rows = algorithm_1(
            weights,
            x[row].astype(np.float64),
            start[row].astype(np.float64),
            3.0,
            steps=steps,
            alpha=0.02,
            beta=0.2,
            epsilon=0.3,
            has_similarity=has_similarity,
        )
        names = ["criterion", "similarity", "multiplier"]
        for name, expected in zip(names, rows.T, strict=True):
            if name == "similarity" and not has_similarity:
                assert np.isnan(result.trace[name][:, row]).all()
                continue
            np.testing.assert_allclose(
                result.trace[name][:, row], expected, rtol=1e-3, atol=1e-4
            )
        assert result.success[row] == (best is not None)
        if best is not None:
            np.testing.assert_allclose(result.examples[row], best, atol=1e-4)


def test_multiplier_of_hand_values():
    """c_0 = 1, beta = 0.1: c_1 = 0.9 + 0.1 f_1, c_2 = (1 - 0.1 / 2^0.25) c_1 + ..."""
    keras.utils.set_random_seed(0)
    # Twice the input: f = ||x + 2 delta|| - ||x|| > 0 for a positive delta.
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((1, 1), 2.0, np.float32)])
    x = np.array([[0.5]], np.float32)
    attack = MinMaxAttack(
        Reconstruction(model),
        None,
        steps=2,
        step_size=0.01,
        initial_multiplier=1.0,
        initial_noise=0.4,
    )
    for seed in range(20):
        start = UniformNoise(0.4, seed=seed)(x).examples - x
        if start > 0.1:
            break
    attack = MinMaxAttack.from_config({**attack.get_config(), "seed": seed}, model)
    with pytest.warns(UserWarning, match="no sample"):
        trace = attack(x, trace=True).trace
    # df/ddelta = 2, so delta falls by 0.01 * c * 2 and f by 0.02 * c times 2.
    f0 = 2 * float(start[0, 0])
    f1 = f0 - 0.04 * 1.0
    c1 = 0.9 * 1.0 + 0.1 * f1
    f2 = f1 - 0.04 * c1
    c2 = (1 - 0.1 / 2**0.25) * c1 + 0.1 * f2
    np.testing.assert_allclose(trace["criterion"][:, 0], [f0, f1, f2], rtol=1e-4)
    np.testing.assert_allclose(trace["multiplier"][:, 0], [1.0, c1, c2], rtol=1e-5)


# So large a beta takes c below 0, where it is clipped.
@pytest.mark.parametrize("beta", [0.1, 2.5])
def test_multiplier_follows_the_criterion_of_the_new_iterate(model, x, beta):
    settings = {"initial_noise": 0.4, "multiplier_step_size": beta}
    attack = MinMaxAttack(Reconstruction(model), GaussianMI(), **settings)
    trace = attack(x, trace=True).trace
    f, c = trace["criterion"], trace["multiplier"]
    assert np.all(c[0] == 10.0)
    for t in range(1, 41):
        expected = (1 - beta / t**0.25) * c[t - 1] + beta * np.maximum(f[t], 0.0)
        np.testing.assert_allclose(c[t], np.maximum(expected, 0.0), rtol=1e-4)


def test_the_paper_starts_at_zero_with_no_multiplier(model, x):
    attack = MinMaxAttack.from_preset(
        "paper", Reconstruction(model), GaussianMI(), steps=2
    )
    with pytest.warns(UserWarning, match="moved no sample"):
        trace = attack(x, trace=True).trace
    np.testing.assert_array_equal(trace["criterion"][0], np.zeros(len(x)))
    np.testing.assert_array_equal(trace["multiplier"][0], np.zeros(len(x)))
