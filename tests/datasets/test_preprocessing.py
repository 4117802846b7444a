import numpy as np
import pytest

from uae_tf.datasets.preprocessing import (
    ZCAWhitening,
    average_down,
    impute,
    impute_as_published,
    resize,
    scale,
)

NAN = np.nan


def test_scaling_knows_the_training_range_only():
    train, test = scale(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[4.0, 9.0]]))
    np.testing.assert_array_equal(train, [[0.0, 0.0], [1.0, 0.0]])
    # The second feature's range is 5 to 5.
    np.testing.assert_array_equal(test, [[1.0, 0.0]])
    assert train.dtype == test.dtype == np.float32


def test_bytes_below_the_training_range_do_not_wrap():
    train, test = np.array([[100], [200]], np.uint8), np.array([[50]], np.uint8)
    assert scale(train, test)[1] == [[0.0]]


def test_scaling_over_all_clips_nothing():
    train, test = scale(np.array([[0.0], [2.0]]), np.array([[4.0]]), fit_on_all=True)
    assert np.concatenate([train, test]).ravel().tolist() == [0.0, 0.5, 1.0]


def test_gaps_are_filled_by_class_means_of_training_values():
    train = np.array([[1.0, NAN], [3.0, NAN], [NAN, 7.0], [10.0, 9.0]])
    test = np.array([[NAN, 0.0]])
    filled, filled_test = impute(train, np.array([0, 0, 0, 1]), test)
    np.testing.assert_allclose(filled, [[1, 7], [3, 7], [2, 7], [10, 9]])
    # The class of a test row is what is to be predicted.
    np.testing.assert_allclose(filled_test, [[14 / 3, 0.0]])
    assert np.isnan(train[0, 1])


def test_a_class_without_a_value_takes_the_mean_of_all():
    filled, _ = impute(
        np.array([[NAN], [2.0], [4.0]]), np.array([0, 1, 1]), np.zeros((1, 1))
    )
    assert filled[0, 0] == 3.0


def test_a_feature_without_any_training_value_cannot_be_filled():
    with pytest.raises(ValueError, match="2 rows without one in column 1"):
        impute(np.array([[1.0, NAN], [2.0, NAN]]), np.arange(2), np.ones((1, 2)))


def test_the_published_filling_averages_its_own_marks():
    """By hand: two gaps in a class of three, one after the other."""
    x = np.array([[3.0], [NAN], [NAN], [50.0]])
    filled = impute_as_published(x, np.array([0, 0, 0, 1]))
    first = (3.0 - 2e5) / 3
    assert filled[1, 0] == pytest.approx(first)
    assert filled[2, 0] == pytest.approx((3.0 + first - 1e5) / 3)
    assert filled[3, 0] == 50.0


def test_resizing_keeps_grey_levels_and_orientation():
    images = np.zeros((2, 40, 60, 1), np.uint8)
    images[0, :20] = 200
    small = resize(images, (10, 15))
    assert small.shape == (2, 10, 15, 1)
    assert small.dtype == np.uint8
    assert set(small[0, :3].ravel()) == {200}
    assert not small[0, 7:].any()
    assert not small[1].any()


def correlated(count, seed=0):
    rng = np.random.default_rng(seed)
    return 5.0 + rng.normal(size=(count, 4)) @ rng.normal(size=(4, 4))


def test_whitened_samples_are_uncorrelated_and_of_variance_one():
    x = correlated(2000).reshape(-1, 2, 2, 1)
    whitening = ZCAWhitening.fit(x, regularisation=0.0)
    white = whitening(x)
    assert white.shape == x.shape
    assert white.dtype == np.float32
    flat = white.reshape(len(x), -1)
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.cov(flat.T), np.eye(4), atol=1e-2)
    np.testing.assert_allclose(whitening.restore(white), x, atol=1e-3)


def test_whitening_is_the_symmetric_root():
    """Of all maps that whiten, ZCA is the one with a symmetric matrix."""
    x = correlated(500)
    found = ZCAWhitening.fit(x, regularisation=0.0).whitening
    np.testing.assert_allclose(found, found.T, atol=1e-5)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    wanted = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_a_direction_that_never_varies_is_not_blown_up():
    x = correlated(500)
    x[:, 3] = x[:, 2]
    whitening = ZCAWhitening.fit(x, regularisation=1e-2)
    other = x.copy()
    other[:, 3] += 0.1
    difference = whitening(other) - whitening(x)
    # At most 0.1 over the root of what is added to each variance.
    assert np.linalg.norm(difference, axis=1).max() < 0.1 / np.sqrt(1e-2)
    np.testing.assert_allclose(whitening.restore(whitening(other)), other, atol=1e-3)


def test_a_direction_that_never_varies_needs_regularisation():
    x = np.column_stack([np.arange(5.0), np.ones(5)])
    with pytest.raises(ValueError, match=r"above 0 .* regularisation=0.0"):
        ZCAWhitening.fit(x, regularisation=0.0)


def test_whitening_knows_what_it_was_fitted_to_only():
    whitening = ZCAWhitening.fit(correlated(2000))
    other = whitening(correlated(2000) * 3.0)
    assert np.var(other, axis=0).min() > 4.0


def test_a_small_pixel_is_the_mean_of_its_block():
    images = np.arange(32, dtype="float32").reshape(1, 4, 4, 2)
    small = average_down(images, 2)
    assert small.shape == (1, 2, 2, 2)
    assert small.dtype == np.float32
    np.testing.assert_array_equal(small[0, 1, 0], images[0, 2:, :2].mean(axis=(0, 1)))
    np.testing.assert_array_equal(average_down(images, 4), images)


@pytest.mark.parametrize("side", [0, 3, 8])
def test_a_side_that_does_not_divide_is_refused(side):
    with pytest.raises(ValueError, match=rf"side must divide.*4 and 4.*{side}"):
        average_down(np.zeros((1, 4, 4, 1)), side)
