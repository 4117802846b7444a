"""Structural similarity, and mutual information by a fresh critic."""

import keras
import numpy as np
import pytest

from uae_tf.evaluation import CriticInformation, structural_similarity

MAPS = 6


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(MAPS, 3),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(size=(5, 6, 6, 1)).astype("float32")


def test_structural_similarity_of_equal_and_of_noisy_images(x):
    noise = np.random.default_rng(1).normal(size=x.shape)
    np.testing.assert_allclose(structural_similarity(x, x), 1.0, atol=1e-6)
    little = structural_similarity(x, x + 0.05 * noise)
    much = structural_similarity(x, x + 0.5 * noise)
    assert np.all((much < little) & (little < 1.0))
    scaled = structural_similarity(4 * x - 2, 4 * (x + 0.05 * noise) - 2, (-2.0, 2.0))
    np.testing.assert_allclose(scaled, little, rtol=1e-4)


def test_structural_similarity_by_its_formula():
    # Constant images have no structure: only the term of the means is left.
    x, y = np.full((1, 8, 8, 1), 0.2), np.full((1, 8, 8, 1), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert structural_similarity(x, y)[0] == pytest.approx(expected, rel=1e-4)


def test_all_pairs_are_bounded_and_one_permutation_is_not(model, x):
    pairs = CriticInformation(model, "all")(x, x)
    assert np.all((pairs > 0.9 * np.log(MAPS)) & (pairs <= np.log(MAPS) + 1e-5))
    few = CriticInformation(model, "all", steps=20, batch_size=2)(x, x)
    assert np.all(few < pairs)
    # On a permutation it has not seen, a critic can also be as wrong as it likes.
    one = CriticInformation(model, "shuffle")(x, x)
    assert np.abs(one).max() > np.log(MAPS)


def test_the_permutations_of_the_judge_follow_its_seed(model, x):
    found = [
        CriticInformation(model, "shuffle", steps=20, seed=s)(x, x) for s in (0, 1)
    ]
    assert np.any(found[0] != found[1])


def test_the_judge_leaves_a_model_that_draws_as_it_is(x):
    draws = keras.layers.GaussianNoise(0.1, seed=3)
    inputs = keras.Input((6, 6, 1))
    outputs = keras.layers.Conv2D(MAPS, 3)(draws(inputs, training=True))
    model = keras.Model(inputs, keras.layers.Flatten()(outputs))
    before = draws.seed_generator.state.numpy()
    found = [CriticInformation(model, steps=20)(x, x + 0.1) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(draws.seed_generator.state.numpy(), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: structural_similarity(x, x[:2]), "images.*of one shape"),
        (lambda m, x: structural_similarity(x[:, :2], x[:, :2]), "sides of 4"),
        (lambda m, x: CriticInformation(m, steps=20)(x, x[:2]), "of one shape"),
        (lambda m, x: CriticInformation(m, steps=5), "steps=5"),
    ],
)
def test_what_does_not_fit(model, x, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, x)
