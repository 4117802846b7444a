import math

import numpy as np
import pytest

from uae_tf import datasets


def test_radii_classes_and_sizes():
    data = datasets.load("circles", noise=0.0, factor=0.5)
    assert data.x_train.shape == (1500, 2)
    assert data.x_test.shape == (2000, 2)
    assert data.x_train.dtype == np.float32
    radii = np.linalg.norm(data.x_train, axis=1)
    np.testing.assert_allclose(radii, np.where(data.y_train == 0, 1.0, 0.5), rtol=1e-5)
    assert np.bincount(data.y_test).tolist() == [1000, 1000]


@pytest.mark.parametrize(("noise", "bayes"), [(0.01, 0.0), (0.06, 4.78)])
def test_the_circle_between_them_errs_as_derived(noise, bayes):
    errors = []
    for seed in range(10):
        data = datasets.load("circles", noise=noise, seed=seed)
        inner = np.linalg.norm(data.x_test, axis=1) < 0.9
        errors.append(100 * np.mean(inner != data.y_test))
    # SPEC 7.2.5; four standard errors of 20,000 points.
    assert np.mean(errors) == pytest.approx(bayes, abs=4 * math.sqrt(4.8 * 95 / 20000))


def test_points_follow_the_seed_and_test_points_are_others():
    first, again, other = (datasets.load("circles", seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, other.x_train)
    assert not set(map(tuple, first.x_train)) & set(map(tuple, first.x_test))


def test_options_out_of_range_and_of_other_sets():
    with pytest.raises(ValueError, match=r"factor lie in \(0, 1\).*factor=1.0"):
        datasets.load("circles", factor=1.0)
    with pytest.raises(ValueError, match=r"noise=-0\.1"):
        datasets.load("circles", noise=-0.1)
    with pytest.raises(TypeError, match="'digits' has no options"):
        datasets.load("digits", noise=0.1)
    with pytest.raises(ValueError, match="'circles' holds 1500"):
        datasets.load("circles", samples=1501)
