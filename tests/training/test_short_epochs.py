"""Epochs that visit a part of the samples, and phases that attack that part."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uae_tf.attacks import GaussianNoise
from uae_tf.training import AugmentedDataset, UAECallback


def numbered(count):
    return np.arange(count, dtype="float32")[:, None]


def visited(data, epoch):
    """The inputs that `fit` is served in an epoch."""
    data.set_epoch(epoch)
    data.on_epoch_begin()
    served = np.concatenate([data[number][0] for number in range(len(data))])
    data.on_epoch_end()
    return served[:, 0].astype(int)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    size=st.integers(1, 50),
    copies=st.integers(1, 3),
    shuffle=st.booleans(),
    round_=st.integers(0, 5),
)
def test_a_round_of_epochs_visits_each_sample_once_per_slot(
    count, size, copies, shuffle, round_
):
    data = AugmentedDataset(
        numbered(count),
        batch_size=7,
        copies=copies,
        shuffle=shuffle,
        samples_per_epoch=size,
    )
    size = min(size, count)
    epochs = range(round_ * (count // size), (round_ + 1) * (count // size))
    seen = np.zeros(count, int)
    for epoch in epochs:
        served = visited(data, epoch)
        assert len(served) == size * (1 + copies)
        rows, times = np.unique(served, return_counts=True)
        np.testing.assert_array_equal(rows, data.rows_of_epoch(epoch))
        assert set(times) == {1 + copies}
        seen[rows] += 1
    # What does not divide them waits; nothing comes twice.
    assert seen.max() == 1
    assert seen.sum() == count // size * size


@given(count=st.integers(1, 40), size=st.integers(1, 40))
def test_in_order_every_sample_has_its_turn(count, size):
    """The last ones too, where epochs do not divide the samples."""
    data = AugmentedDataset(numbered(count), shuffle=False, samples_per_epoch=size)
    size = min(size, count)
    seen = np.zeros(count, int)
    for epoch in range(count):
        seen[data.rows_of_epoch(epoch)] += 1
    np.testing.assert_array_equal(seen, size)


def test_other_rounds_leave_out_other_samples():
    data = AugmentedDataset(numbered(10), samples_per_epoch=4)
    rounds = [
        {*data.rows_of_epoch(2 * r), *data.rows_of_epoch(2 * r + 1)} for r in (0, 1)
    ]
    assert rounds[0] != rounds[1]
    assert {*data.rows_of_epoch(0)} != {*data.rows_of_epoch(2)}


def test_tf_data_serves_the_same_epochs():
    direct, streamed = (
        AugmentedDataset(numbered(10), batch_size=3, seed=5, samples_per_epoch=4)
        for _ in range(2)
    )
    stream = streamed.as_tf_data()
    assert len(stream) == len(direct) == 3
    for epoch in range(4):
        got = np.concatenate([inputs for inputs, _ in stream.as_numpy_iterator()])
        np.testing.assert_array_equal(got[:, 0].astype(int), visited(direct, epoch))


def attacked_rows(samples_per_epoch, epochs, **arguments):
    """Which samples hold an example after each epoch of a fit."""
    data = AugmentedDataset(
        np.full((12, 2), 0.5), batch_size=4, samples_per_epoch=samples_per_epoch
    )
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    active = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: active.append(data.active[0].copy())
    )
    callback = UAECallback(
        data, GaussianNoise(0.1), warmup_epochs=0, verbose=0, **arguments
    )
    model.fit(data, epochs=epochs, callbacks=[callback, watch], verbose=0)
    return data, callback, active


def test_a_phase_attacks_the_samples_it_visits():
    data, callback, active = attacked_rows(4, 3, phase_epochs=1)
    assert [record.attacked for record in callback.history] == [4, 4, 4]
    assert [record.epoch for record in callback.history] == [0, 1, 2]
    expected = np.zeros(12, bool)
    for epoch, found in enumerate(active):
        expected[data.rows_of_epoch(epoch)] = True
        np.testing.assert_array_equal(found, expected)


def test_a_longer_phase_attacks_what_all_its_epochs_visit():
    data, callback, active = attacked_rows(4, 2, phase_epochs=2)
    assert [record.attacked for record in callback.history] == [8]
    both = np.union1d(data.rows_of_epoch(0), data.rows_of_epoch(1))
    np.testing.assert_array_equal(np.flatnonzero(active[0]), both)


def test_a_phase_without_a_known_end_attacks_all():
    _, callback, _ = attacked_rows(4, 2, monitor="loss")
    assert callback.history[0].attacked == 12


def test_a_fraction_is_one_of_the_visited_samples():
    data, callback, active = attacked_rows(6, 1, phase_epochs=1, fraction=0.5)
    assert callback.history[0].attacked == 3
    assert set(np.flatnonzero(active[0])) <= set(data.rows_of_epoch(0))


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_an_epoch_of_no_samples(size):
    with pytest.raises(ValueError, match="`samples_per_epoch` must be a whole number"):
        AugmentedDataset(numbered(4), samples_per_epoch=size)
