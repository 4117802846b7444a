"""Frechet and kernel distances against closed forms."""

import keras
import numpy as np
import pytest

from uae_tf.evaluation import FeatureExtractor, frechet_distance, kernel_distance


def whitened(count, features, seed):
    """Samples whose mean is exactly 0 and covariance exactly 1."""
    x = np.random.default_rng(seed).normal(size=(count, features))
    x -= x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return x @ (vectors / np.sqrt(values)) @ vectors.T


def test_frechet_of_known_gaussians():
    # |m1 - m2|^2 + sum of (s1 - s2)^2 where the covariances commute.
    x, y = whitened(50, 4, 0), whitened(70, 4, 1)
    scales = np.array([1.0, 2.0, 0.5, 3.0])
    shift = np.array([1.0, 0.0, -2.0, 0.5])
    expected = 5.25 + np.square(scales - 1.0).sum()
    assert frechet_distance(x, y * scales + shift) == pytest.approx(expected, rel=1e-10)


def test_frechet_of_covariances_that_do_not_commute():
    # In two dimensions tr((C1 C2)^(1/2)) = sqrt(tr(C1 C2) + 2 sqrt(det(C1 C2))).
    first = np.array([[2.0, 0.5], [0.5, 1.0]])
    second = np.array([[1.0, -0.8], [-0.8, 3.0]])
    x = whitened(40, 2, 0) @ np.linalg.cholesky(first).T
    y = whitened(60, 2, 1) @ np.linalg.cholesky(second).T
    product = first @ second
    cross = np.sqrt(np.trace(product) + 2.0 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(first) + np.trace(second) - 2.0 * cross
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-10)


def test_frechet_is_computed_in_float64():
    # In float32 the differences at 1e4 would be lost.
    x = 1e4 + 1e-2 * whitened(50, 3, 0)
    assert frechet_distance(x, x + 1e-2) == pytest.approx(3e-4, rel=1e-4)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)


def test_kernel_distance_by_hand():
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    y = np.array([[1.0, 1.0], [2.0, 0.0]])

    def kernel(a, b):
        return (a @ b / 2 + 1.0) ** 3

    # Unbiased: a sample is not paired with itself.
    mean = np.mean([kernel(a, b) for a in x for b in y])
    expected = kernel(x[0], x[1]) + kernel(y[0], y[1]) - 2.0 * mean
    found = kernel_distance(x, y, subsets=3)
    assert found.mean == pytest.approx(expected, rel=1e-12)
    assert found.std == pytest.approx(0.0, abs=1e-12)


def test_kernel_distance_is_unbiased():
    # Of one distribution: zero on average, where the biased form would be above 0.
    rng = np.random.default_rng(0)
    found = [
        kernel_distance(*rng.normal(size=(2, 30, 3)), subsets=1).mean
        for _ in range(400)
    ]
    assert abs(np.mean(found)) < 3.0 * np.std(found) / np.sqrt(len(found))
    apart = kernel_distance(rng.normal(size=(300, 3)), 1 + rng.normal(size=(300, 3)))
    assert apart.mean > 1.0
    assert apart.std == pytest.approx(0.0, abs=1e-9)  # All subsets hold everything.


def test_subsets_follow_the_seed():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 3))
    settings = {"subsets": 4, "subset_size": 10}
    assert kernel_distance(x, y, **settings) == kernel_distance(x, y, **settings)
    assert kernel_distance(x, y, **settings) != kernel_distance(
        x, y, **settings, seed=1
    )


@pytest.mark.parametrize(
    ("distance", "shapes", "message"),
    [
        (frechet_distance, ((5, 5), (9, 5)), "more samples than features.*5 samples"),
        (frechet_distance, ((9, 3), (9, 4)), r"equally many.*\(9, 3\).*\(9, 4\)"),
        (kernel_distance, ((9,), (9,)), "equally many"),
        (kernel_distance, ((1, 2), (9, 2)), "Two samples or more"),
    ],
)
def test_what_does_not_fit(distance, shapes, message):
    x, y = (np.random.default_rng(0).normal(size=shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        distance(x, y)


def test_features_that_are_not_finite():
    x, y = np.ones((2, 9, 3))
    y[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"`reference` must be finite.*sample 4"):
        kernel_distance(x, y)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(2, 3, name="maps"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, "relu"),
        keras.layers.Dense(2),
    ]
    return keras.Sequential([keras.Input((5, 5, 1)), *layers])


def test_an_extractor_gives_its_name_to_distances(network):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(2, 20, 5, 5, 1)).astype("float32")
    extractor = FeatureExtractor(network, "toy", batch_size=7)
    features, reference = extractor(x), extractor(y)
    assert features.shape == (20, 3)
    assert features.dtype == np.float64
    expected = network.layers[2](network.layers[1](network.layers[0](x)))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    found = extractor.distances(features, reference)
    assert set(found) == {"frechet_toy", "kernel_toy"}
    assert found["frechet_toy"] == frechet_distance(features, reference)
    assert FeatureExtractor(network, "maps", layer="maps")(x).shape == (20, 18)


def test_an_extractor_needs_layers_to_cut(network):
    with pytest.raises(ValueError, match="layer='nothing'"):
        FeatureExtractor(network, "toy", layer="nothing")

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Functional or Sequential"):
        FeatureExtractor(Subclassed(), "toy")
