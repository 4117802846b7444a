import numpy as np
import pytest

from uae_tf.datasets import Dataset


def make(train=20, test=5):
    x = np.arange(train * 4, dtype=np.float32).reshape(train, 2, 2, 1) / 100
    y = np.arange(train) % 4
    return Dataset(x, y, x[:test], y[:test], name="toy")


def test_repr_says_what_is_inside():
    expected = "Dataset('toy', train=20, test=5, sample_shape=(2, 2, 1), classes=4)"
    assert repr(make()) == expected


def test_a_class_that_a_few_samples_lack_is_counted():
    data = make()
    few = Dataset(data.x_train[:2], data.y_train[:2], data.x_test, data.y_test, "few")
    assert few.num_classes == 4


def test_is_frozen():
    with pytest.raises(AttributeError):
        make().name = "other"


def test_labels_must_match_images():
    x, y = np.zeros((3, 2)), np.zeros(4)
    with pytest.raises(ValueError, match="3 samples and 4 labels"):
        Dataset(x, y, x, y[:3], name="toy")


def test_splits_must_hold_one_shape():
    y = np.zeros(3)
    with pytest.raises(ValueError, match=r"one shape. Received: \(2,\) and \(5,\)"):
        Dataset(np.zeros((3, 2)), y, np.zeros((3, 5)), y, name="toy")


def test_validation_split_parts_the_training_split():
    data = make()
    split = data.validation_split(0.25, seed=3)
    assert split.name == "toy/validation"
    assert len(split.x_test) == 5
    joined = np.concatenate([split.x_train, split.x_test])
    assert set(joined[:, 0, 0, 0]) == set(data.x_train[:, 0, 0, 0])
    for x, y in ((split.x_train, split.y_train), (split.x_test, split.y_test)):
        rows = np.rint(x[:, 0, 0, 0] * 25).astype(int)
        np.testing.assert_array_equal(y, data.y_train[rows])
        # In the order of the data set.
        assert np.all(np.diff(rows) > 0)
    again, other = data.validation_split(0.25, 3), data.validation_split(0.25, 4)
    np.testing.assert_array_equal(again.x_test, split.x_test)
    assert not np.array_equal(other.x_test, split.x_test)


def test_validation_split_keeps_the_names_of_features():
    x, y = np.zeros((4, 2)), np.arange(4)
    data = Dataset(x, y, x, y, name="toy", feature_names=("a", "b"))
    assert data.validation_split(0.5).feature_names == ("a", "b")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 0.001, 2.0])
def test_validation_split_needs_both_parts(fraction):
    with pytest.raises(ValueError, match=f"Received: fraction={fraction}"):
        make().validation_split(fraction)
