import numpy as np
import pytest

from uae_tf.datasets.preprocessing import impute, impute_as_published, resize, scale

NAN = np.nan


def test_scaling_knows_the_training_range_only():
    train, test = scale(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[4.0, 9.0]]))
    np.testing.assert_array_equal(train, [[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(test, [[1.0, 1.0]])
    assert train.dtype == test.dtype == np.float32


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
