import random
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from uae_tf.training import AugmentedDataset


def numbered(count, width=1):
    return np.repeat(np.arange(count, dtype="float32")[:, None], width, axis=1)


def epoch_of(data, epoch=None):
    """One epoch as `fit` draws it: batch numbers shuffled by the global `random`."""
    if epoch is not None:
        data.set_epoch(epoch)
    data.on_epoch_begin()
    numbers = list(range(len(data)))
    random.shuffle(numbers)
    batches = [data[number] for number in numbers]
    data.on_epoch_end()
    return batches


def inputs_of(batches):
    return np.concatenate([batch[0] for batch in batches])


@settings(max_examples=60, deadline=None)
@given(
    num_samples=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    copies=st.integers(1, 3),
    shuffle=st.booleans(),
    epoch=st.integers(0, 1000),
)
def test_an_epoch_shows_each_sample_once_per_slot(
    num_samples, batch_size, copies, shuffle, epoch
):
    data = AugmentedDataset(
        numbered(num_samples),
        y=np.arange(num_samples),
        batch_size=batch_size,
        copies=copies,
        shuffle=shuffle,
    )
    batches = epoch_of(data, epoch)
    assert len(batches) == len(data) == -(-num_samples * (1 + copies) // batch_size)
    inputs = inputs_of(batches)[:, 0]
    counts = np.bincount(inputs.astype(int), minlength=num_samples)
    assert (counts == 1 + copies).all()
    np.testing.assert_array_equal(inputs, np.concatenate([b[1] for b in batches]))


def test_the_number_of_batches_never_changes():
    data = AugmentedDataset(numbered(10), batch_size=4, copies=2)
    before = len(data)
    data.set_examples(numbered(10) + 0.5, copy=1)
    assert len(data) == before == len(epoch_of(data))
    data.reset_examples()
    assert len(data) == before
    assert not data.active.any()
    np.testing.assert_array_equal(data.examples[1], data.x)


def test_examples_take_the_slots_they_were_given():
    data = AugmentedDataset(numbered(5), copies=2, shuffle=False)
    data.set_examples(np.full((2, 1), 9.0), indices=[3, 1], copy=1)
    data.set_examples(
        np.full((2, 1), 7.0), indices=[0, 4], copy=0, active=[True, False]
    )
    expected = [0, 1, 2, 3, 4, 7, 1, 2, 3, 7, 0, 9, 2, 9, 4]
    np.testing.assert_array_equal(data[0][0][:, 0], expected)
    np.testing.assert_array_equal(data.active, [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
    np.testing.assert_array_equal(data.x[:, 0], np.arange(5))


@pytest.mark.parametrize(
    ("target", "expected"), [("self", [0, 1, 5, 6]), ("clean", [0, 1, 0, 1])]
)
def test_target_of_unlabelled_data(target, expected):
    data = AugmentedDataset(numbered(2), target=target, shuffle=False)
    data.set_examples(numbered(2) + 5)
    inputs, targets = data[0]
    np.testing.assert_array_equal(inputs[:, 0], [0, 1, 5, 6])
    np.testing.assert_array_equal(targets[:, 0], expected)


def test_pairs_are_a_sample_and_what_its_slot_holds():
    data = AugmentedDataset(numbered(2), target="pair", shuffle=False)
    data.set_examples(numbered(2) + 5)
    ((samples, inputs),) = data[0]
    np.testing.assert_array_equal(samples[:, 0], [0, 1, 0, 1])
    np.testing.assert_array_equal(inputs[:, 0], [0, 1, 5, 6])


def test_labels_and_weights_follow_their_sample():
    data = AugmentedDataset(
        numbered(30), y=numbered(30, 2) * 10, sample_weight=np.arange(30) / 30
    )
    data.set_examples(numbered(30) + 0.25)
    for inputs, targets, weights in epoch_of(data):
        sample = np.floor(inputs[:, 0])
        np.testing.assert_array_equal(targets, np.stack([sample * 10] * 2, axis=1))
        np.testing.assert_allclose(weights, sample / 30, rtol=1e-6)


def test_order_depends_on_seed_and_epoch_alone():
    data = AugmentedDataset(numbered(50), batch_size=8, seed=3)
    random.seed(1)
    straight = [inputs_of(epoch_of(data)) for _ in range(4)]
    random.seed(2)
    resumed = AugmentedDataset(numbered(50), batch_size=8, seed=3)
    np.testing.assert_array_equal(straight[2], inputs_of(epoch_of(resumed, 2)))
    np.testing.assert_array_equal(straight[3], inputs_of(epoch_of(resumed)))
    assert not np.array_equal(straight[0], straight[1])
    other = AugmentedDataset(numbered(50), batch_size=8, seed=4)
    assert not np.array_equal(straight[0], inputs_of(epoch_of(other)))


def test_fit_sees_each_slot_once_an_epoch():
    class Recorder(keras.Model):
        def __init__(self):
            super().__init__()
            self.total = keras.metrics.Sum(name="total")
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return x * self.scale

        def train_step(self, batch):
            self.total.update_state(batch[0])
            return {"total": self.total.result()}

        @property
        def metrics(self):
            return [self.total]

    data = AugmentedDataset(numbered(20), batch_size=16)
    data.set_examples(numbered(20) + 100)
    model = Recorder()
    model.compile("sgd")
    history = model.fit(data, epochs=3, verbose=0).history
    assert history["total"] == [190 + 190 + 2000] * 3


def test_tf_data_there_and_back():
    x, y, weight = numbered(11, 3), np.arange(11), np.linspace(0, 1, 11)
    source = tf.data.Dataset.from_tensor_slices((x, y, weight))
    singles = AugmentedDataset.from_tf_data(source, batched=False, seed=5)
    data = AugmentedDataset.from_tf_data(source.batch(4), batch_size=6, seed=5)
    for read in (singles, data):
        np.testing.assert_array_equal(read.x, x)
        np.testing.assert_array_equal(read.y, y)
        np.testing.assert_allclose(read.sample_weight, weight, rtol=1e-6)
    served = data.as_tf_data()
    assert served.cardinality() == len(data)
    # Whose thread the removal of an iterator would wait for.
    assert served.options().autotune.enabled is False
    first = list(served.as_numpy_iterator())
    np.testing.assert_array_equal(inputs_of(first), inputs_of(epoch_of(data, 0)))
    data.set_examples(x + 50)
    second = inputs_of(served.as_numpy_iterator())
    assert (second >= 50).sum() == x.size


@pytest.mark.parametrize("target", ["self", "clean", "pair"])
def test_tf_data_serves_what_fit_is_served(target):
    data = AugmentedDataset(numbered(7, 2), batch_size=4, target=target, copies=2)
    served = data.as_tf_data()
    for examples in (numbered(7, 2) + 50, numbered(7, 2) + 90):
        data.set_examples(examples, copy=1)
        batches = list(served.as_numpy_iterator())
        expected = epoch_of(data, data.epoch)
        for received, batch in zip(batches, expected, strict=True):
            if target == "pair":
                (received,), (batch,) = received, batch
            for one, other in zip(received, batch, strict=True):
                np.testing.assert_array_equal(one, other)


def test_tf_data_of_inputs_alone():
    data = AugmentedDataset.from_tf_data(tf.data.Dataset.from_tensors(numbered(3)))
    assert data.y is None
    assert data.num_samples == 3


def test_inputs_are_cast_as_fit_casts_them():
    data = AugmentedDataset(np.arange(4, dtype="uint8")[:, None], y=[0, 1, 2, 3])
    assert data[0][0].dtype == np.float32
    assert data[0][1].dtype == np.int64


def test_views_cannot_be_written_to():
    data = AugmentedDataset(numbered(3))
    for view in (data.x, data.examples, data.active):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1


NAN = np.array([[0.0], [np.nan], [1.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((0, 3))}, r"`x` must be .* at least one sample.*\(0, 3\)"),
        ({"x": 3.0}, r"`x` must be an array with a leading sample axis"),
        ({"x": NAN}, "NaN or infinity in 1 of 3 samples, first at sample 1"),
        ({"y": [1, 2]}, r"`y` must have one row per sample: expected 3.*\(2,\)"),
        ({"y": NAN}, "`y` must hold finite numbers"),
        ({"target": "noisy"}, "`target` must be one of.*Received 'noisy'"),
        ({"target": "clean", "y": [1, 2, 3]}, "Leave out one of the two"),
        ({"target": "pair", "y": [1, 2, 3]}, "'pair'.*Leave out one of the two"),
        ({"target": "pair", "sample_weight": [1, 2, 3]}, "cannot be weighted"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        ({"batch_size": True}, "`batch_size` must be a whole number"),
        ({"copies": 1.5}, "`copies` must be a whole number.*Received 1.5"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0"),
        ({"sample_weight": [1, 2]}, r"`sample_weight` .* shape \(3,\).*\(2,\)"),
        ({"sample_weight": [1, 2, -1]}, "must not be negative.* -1.0 at sample 2"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AugmentedDataset(**{"x": numbered(3), **arguments})


def test_bad_dtype():
    with pytest.raises(TypeError, match="`x` must hold numbers"):
        AugmentedDataset(np.array(["a", "b"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"examples": numbered(2)}, r"`examples` must have shape \(3, 1\).*\(2, 1\)"),
        ({"examples": numbered(3, 2)}, r"expected|must have shape \(3, 1\)"),
        ({"examples": NAN}, "`examples` must hold finite numbers"),
        ({"indices": [0, 1, 3]}, r"`indices` must lie in \[0, 3\).*0 to 3"),
        ({"indices": [-1, 1, 2]}, r"`indices` must lie in \[0, 3\)"),
        ({"indices": [0.0, 1.0, 2.0]}, "`indices` must be a vector of whole numbers"),
        ({"copy": 1}, r"`copy` must lie in \[0, 1\). Received 1"),
        ({"active": [True, False]}, r"`active` must be one bool .*\(3,\).*\(2,\)"),
    ],
)
def test_bad_examples_leave_the_slots_alone(arguments, message):
    data = AugmentedDataset(numbered(3))
    with pytest.raises(ValueError, match=message):
        data.set_examples(**{"examples": numbered(3) + 9, **arguments})
    assert data.examples.max() == 2


def test_batches_that_do_not_exist():
    with pytest.raises(IndexError, match=re.escape("this dataset has 1 batches")):
        AugmentedDataset(numbered(3))[1]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (tf.data.Dataset.from_tensors(numbered(3)).repeat(), "must be finite"),
        (tf.data.Dataset.from_tensors(numbered(3)).take(0), "Received an empty one"),
        (tf.data.Dataset.from_tensors({"x": numbered(3)}), "must yield x"),
    ],
)
def test_bad_tf_data(dataset, message):
    with pytest.raises(ValueError, match=message):
        AugmentedDataset.from_tf_data(dataset)


@pytest.mark.parametrize(
    ("batched", "shapes", "advice"),
    [
        (True, r"\[\(1,\), \(\)\]", "batched=False.*single samples"),
        (False, r"\[\(2, 1\), \(2,\)\]", "batched=True.*batches"),
    ],
)
def test_samples_and_batches_are_told_apart(batched, shapes, advice):
    dataset = tf.data.Dataset.from_tensor_slices((numbered(3), np.arange(3)))
    if not batched:
        dataset = dataset.batch(2)
    with pytest.raises(ValueError, match=f"(?s){shapes}.*{advice}"):
        AugmentedDataset.from_tf_data(dataset, batched=batched)
