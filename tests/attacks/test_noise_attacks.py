"""The noise controls: their distributions, and what they are matched to."""

import keras
import numpy as np
import pytest

from uae_tf import (
    GaussianMI,
    GaussianNoise,
    MatchedNoise,
    MinMaxAttack,
    Reconstruction,
    UniformNoise,
)

MIDDLE = np.full((50, 400), 0.5, np.float32)


@pytest.mark.parametrize("stddev", [0.001, 0.01, 0.1])
def test_gaussian_noise_has_its_moments(stddev):
    delta = GaussianNoise(stddev)(MIDDLE).examples - MIDDLE
    error = stddev / np.sqrt(delta.size)
    assert abs(delta.mean()) < 4 * error
    assert delta.std() == pytest.approx(stddev, rel=0.03)
    kurtosis = np.mean((delta / delta.std()) ** 4)
    assert kurtosis == pytest.approx(3.0, abs=0.2)
    assert np.abs(np.corrcoef(delta) - np.eye(50)).max() < 0.25


def test_uniform_noise_has_its_moments():
    delta = UniformNoise(0.3)(MIDDLE).examples - MIDDLE
    assert np.abs(delta).max() <= 0.3 + 1e-6
    assert delta.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.02)
    assert delta.mean() == pytest.approx(0.0, abs=0.005)


@pytest.mark.parametrize("limit", [0.1, 0.7])
def test_uniform_noise_is_where_the_attack_starts(criterion, x, limit):
    noise = UniformNoise(limit, criterion, seed=3)(x)
    # A step too small to move anything leaves the start noise as the only iterate.
    attack = MinMaxAttack(
        criterion, GaussianMI(), initial_noise=limit, step_size=1e-30, steps=1, seed=3
    )
    started = attack(x)
    np.testing.assert_allclose(started.examples, noise.examples, atol=1e-6)
    np.testing.assert_allclose(started.criterion, noise.criterion, atol=1e-5)
    np.testing.assert_array_equal(started.success, noise.success)


def test_noise_is_judged_where_there_is_a_criterion(criterion, x):
    judged = GaussianNoise(0.2, criterion)(x)
    f, _ = criterion.evaluate(x, judged.examples)
    np.testing.assert_allclose(judged.criterion, f, atol=1e-6)
    np.testing.assert_array_equal(judged.success, judged.criterion <= 0.0)
    free = GaussianNoise(0.2)(x)
    assert free.success.all()
    assert np.isnan(free.criterion).all()
    np.testing.assert_array_equal(free.examples, judged.examples)


def test_an_infinite_loss_of_the_sample_makes_no_success():
    # Its square overflows at 1, and not where noise made it smaller.
    model = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(1.5e19)])
    noise = UniformNoise(0.9, Reconstruction(model))
    with pytest.warns(UserWarning, match="NaN or infinite numbers for every sample"):
        result = noise(np.ones((20, 2), "float32"))
    assert np.any(result.criterion == -np.inf)
    assert not result.success.any()


def test_matched_noise_has_the_wanted_norms_after_clipping():
    generator = np.random.default_rng(0)
    x = generator.uniform(-0.5, 1.5, (20, 100)).clip(0, 1).astype(np.float32)
    wanted = np.linspace(0.01, 4.0, 20).astype(np.float32)
    result = MatchedNoise()(x, wanted)
    np.testing.assert_allclose(result.l2, wanted, rtol=1e-3)
    assert result.examples.min() >= 0.0
    assert result.examples.max() <= 1.0
    assert result.success.all()


@pytest.mark.parametrize("bounds", [(-1e5, 1e5), (0.0, 1e-4)])
def test_matched_noise_knows_the_scale_of_its_bounds(bounds):
    generator, size = np.random.default_rng(0), bounds[1] - bounds[0]
    x = generator.uniform(*bounds, (2, 16)).astype(np.float32)
    wanted = np.float32([0.05 * size, 0.5 * size])
    result = MatchedNoise(bounds=bounds)(x, wanted)
    np.testing.assert_allclose(result.l2, wanted, rtol=1e-3)


def test_matched_noise_follows_an_attack(criterion, x):
    result = MinMaxAttack(criterion, GaussianMI(), steps=5)(x)
    matched = MatchedNoise(seed=1)(x, result.l2)
    np.testing.assert_allclose(matched.l2, result.l2, rtol=1e-3)
    directions = [(r.examples - x) / r.l2[:, None] for r in (result, matched)]
    cosines = np.sum(directions[0] * directions[1], axis=1)
    assert np.all(np.abs(cosines) < 0.99)


def test_matched_noise_at_the_ends():
    x = np.full((2, 9), 0.5, np.float32)
    with pytest.warns(UserWarning, match="moved no sample"):
        nothing = MatchedNoise()(x, np.zeros(2))
    np.testing.assert_array_equal(nothing.examples, x)
    # The corners of the box are 1.5 away.
    unreachable = MatchedNoise()(x, np.full(2, 100.0))
    np.testing.assert_allclose(unreachable.l2, 1.5, rtol=1e-6)


def test_matched_noise_reaches_the_corner_in_every_feature():
    """Some features of thousands have a direction next to 0."""
    x = np.full((2, 6400), 0.5, np.float32)
    result = MatchedNoise()(x, np.array([39.999, 100.0]))
    np.testing.assert_allclose(result.l2, [39.999, 40.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "received"),
    [
        (None, "Received: none"),
        (np.ones((3, 1)), r"Received: shape \(3, 1\)"),
        (np.array([1.0, -1.0, 1.0]), "at least 0"),
        (np.array([1.0, np.nan, 1.0]), "at least 0"),
    ],
)
def test_matched_noise_needs_norms(wanted, received):
    attack = MatchedNoise()
    with pytest.raises(ValueError, match=f"needs the wanted L2 norms.*{received}"):
        attack(np.zeros((3, 4), np.float32), wanted)
    assert attack.num_traces == 0


def test_matched_noise_looks_at_the_samples_too():
    with pytest.raises(TypeError, match="`x` must be floating point"):
        MatchedNoise()(np.zeros((3, 4), int), np.ones(3))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_widths_must_be_positive(value):
    with pytest.raises(ValueError, match=r"`stddev` must be positive"):
        GaussianNoise(value)
    with pytest.raises(ValueError, match=r"`limit` must be positive"):
        UniformNoise(value)
