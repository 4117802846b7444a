import numpy as np
import pytest

from uae_tf import SemiSupervisedDataset


def numbered(count):
    return np.arange(count, dtype=np.float32)[:, None]


def dataset(**settings):
    defaults = {"labelled_batch": 3, "unlabelled_batch": 4, "steps_per_epoch": 5}
    return SemiSupervisedDataset(
        numbered(6), np.arange(6), numbered(10), **{**defaults, **settings}
    )


def epoch(data, number):
    data.set_epoch(number)
    data.on_epoch_begin()
    return [data[i] for i in range(len(data))]


def test_batches_are_of_one_size_and_keep_labels_with_their_samples():
    for (labelled, unlabelled), y in epoch(dataset(), 0):
        assert labelled.shape == (3, 1)
        assert unlabelled.shape == (4, 1)
        np.testing.assert_array_equal(labelled[:, 0], y)


def test_each_pass_sees_every_sample_once():
    batches = epoch(dataset(), 0)
    labelled = np.concatenate([x[0] for x, _ in batches])[:, 0]
    unlabelled = np.concatenate([x[1] for x, _ in batches])[:, 0]
    assert sorted(labelled[:6]) == sorted(labelled[6:12]) == list(range(6))
    assert sorted(unlabelled[:10]) == sorted(unlabelled[10:]) == list(range(10))


def test_the_order_follows_seed_and_epoch():
    def order(seed, number):
        return [y.tolist() for _, y in epoch(dataset(seed=seed), number)]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


def test_batches_come_by_order_of_arrival_within_an_epoch():
    straight = epoch(dataset(), 0)
    data = dataset()
    data.on_epoch_begin()
    shuffled = [data[i] for i in (3, 0, 4, 2, 1)]
    for (_, expected), (_, received) in zip(straight, shuffled, strict=True):
        np.testing.assert_array_equal(expected, received)


@pytest.mark.parametrize("examples", [None, numbered(10) + 100])
def test_as_tf_data_serves_the_same_batches(examples):
    straight, data = dataset(examples=examples), dataset(examples=examples)
    served = data.as_tf_data()
    assert served.cardinality() == len(data)
    for number in range(3):
        expected = epoch(straight, number)
        received = list(served.as_numpy_iterator())
        assert len(received) == len(expected)
        for batch, other in zip(expected, received, strict=True):
            for a, b in zip((*batch[0], batch[1]), (*other[0], other[1]), strict=True):
                np.testing.assert_array_equal(a, b)


def test_examples_stay_with_their_samples():
    data = dataset(examples=numbered(10) + 100)
    for (_, unlabelled, examples), _ in epoch(data, 0):
        np.testing.assert_array_equal(examples, unlabelled + 100)


def test_without_unlabelled_samples_the_labelled_stand_in():
    data = SemiSupervisedDataset(numbered(6), np.arange(6), unlabelled_batch=4)
    assert len(data) == 2
    assert data[0][0][1].max() < 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.arange(5)}, "`y` must have one row per sample: expected 6"),
        ({"y": np.full(6, 0.5)}, r"`y` must hold class numbers.*float"),
        ({"y": np.arange(6) - 1}, "smallest -1"),
        ({"x_unlabelled": np.zeros((4, 2))}, r"`x_unlabelled`.*shape \(1,\).*\(4, 2\)"),
        ({"x_unlabelled": np.full((4, 1), np.nan)}, "`x_unlabelled` must hold finite"),
        ({"examples": np.zeros((9, 1))}, r"`examples`.*\(10, 1\).*\(9, 1\)"),
        ({"labelled_batch": 0}, "`labelled_batch` must be a whole number"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be a whole number"),
    ],
)
def test_bad_arguments(changes, message):
    arguments = {"x": numbered(6), "y": np.arange(6), "x_unlabelled": numbered(10)}
    with pytest.raises(ValueError, match=message):
        SemiSupervisedDataset(**{**arguments, **changes})


def test_a_batch_that_does_not_exist():
    with pytest.raises(IndexError, match="has 5 batches"):
        dataset()[5]
