import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.models import ResNet18, load_weight_parts, save_weight_parts, weight_parts


@pytest.fixture(scope="module")
def encoder():
    return ResNet18(width=4, input_shape=(8, 8, 3))


@pytest.fixture
def other():
    return ResNet18(width=4, input_shape=(8, 8, 3))


@pytest.mark.parametrize(
    ("dtype", "digits"), [("float16", 2**-11), ("bfloat16", 2**-8)]
)
def test_the_round_trip_keeps_the_digits_it_promises(
    encoder, other, tmp_path, dtype, digits, monkeypatch
):
    monkeypatch.setattr(weight_parts, "PART_BYTES", 30_000)
    parts = save_weight_parts(encoder.weights, tmp_path, "encoder", dtype)
    assert len(parts) > 2
    assert [part.name for part in parts[:2]] == ["encoder-0.npz", "encoder-1.npz"]
    load_weight_parts(other.weights, tmp_path, "encoder")
    for saved, loaded in zip(encoder.weights, other.weights, strict=True):
        # Below 1e-4 float16 has no more digits than 3e-8.
        np.testing.assert_allclose(loaded, saved, rtol=digits, atol=3e-8)
        if len(saved.shape) < 2:
            np.testing.assert_array_equal(loaded, saved)
    images = tf.constant(np.random.default_rng(0).random((2, 8, 8, 3)), tf.float32)
    np.testing.assert_allclose(other(images), encoder(images), rtol=0.1, atol=1e-2)


def test_bfloat16_rounds_to_the_nearest(tmp_path):
    numbers = np.float32([[1.0, 1.0 + 2**-9, 1.0 + 2**-7, -3e38, 1e-30]])
    values = keras.Variable(numbers)
    save_weight_parts([values], tmp_path, dtype="bfloat16")
    values.assign(np.zeros_like(numbers))
    load_weight_parts([values], tmp_path)
    expected = tf.cast(tf.cast(numbers, tf.bfloat16), tf.float32)
    np.testing.assert_array_equal(values.numpy(), expected)


def test_no_part_of_the_published_width_reaches_16_mebibytes(tmp_path):
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=(3, 3, 512, 512)).astype("float32"))] * 5
    parts = save_weight_parts(weights, tmp_path)
    assert len(parts) == 2
    assert max(part.stat().st_size for part in parts) < 16 * 2**20


def test_weights_of_another_model_are_refused(encoder, tmp_path):
    save_weight_parts(encoder.weights, tmp_path)
    with pytest.raises(ValueError, match=r"another model: \d+ variables saved, 3 here"):
        load_weight_parts(encoder.weights[:3], tmp_path)
    with pytest.raises(ValueError, match="first difference of shapes"):
        load_weight_parts(ResNet18(width=2).weights, tmp_path)


def test_a_missing_part_is_an_error(encoder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights-0\.npz"):
        load_weight_parts(encoder.weights, tmp_path)


def test_a_save_that_was_killed_between_two_parts_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weight_parts, "PART_BYTES", 8)
    values = [keras.Variable(np.ones(2, "float32")) for _ in range(2)]
    save_weight_parts(values, tmp_path)
    with monkeypatch.context() as patched:
        # One write, and no second.
        writes = iter([weight_parts._write])
        patched.setattr(weight_parts, "_write", lambda *part: next(writes)(*part))
        for value in values:
            value.assign([2.0, 2.0])
        with pytest.raises(StopIteration):
            save_weight_parts(values, tmp_path)
    with pytest.raises(ValueError, match=r"weights-1\.npz and .*different saves"):
        load_weight_parts(values, tmp_path)
    save_weight_parts(values, tmp_path)
    load_weight_parts(values, tmp_path)


def test_what_float16_cannot_hold_is_refused(tmp_path):
    with pytest.raises(OverflowError, match="dtype='bfloat16'"):
        save_weight_parts([keras.Variable([[1e6]], name="large")], tmp_path)
    with pytest.raises(ValueError, match="float16"):
        save_weight_parts([keras.Variable([[1.0]])], tmp_path, dtype="int8")


def test_nan_is_named(tmp_path):
    variable = keras.Variable([[np.nan]], name="kernel")
    with pytest.raises(ValueError, match=r"kernel holds NaN or infinity"):
        save_weight_parts([variable], tmp_path)
    save_weight_parts([variable], tmp_path, dtype="bfloat16")
    load_weight_parts([variable], tmp_path)
    assert np.isnan(variable.numpy()).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kept", ["bfloat16", "float16", "uint16", "int32", "float64"])
def test_other_types_than_float32_are_kept_as_they_are(kept, dtype, tmp_path):
    values = [
        keras.Variable(shape, dtype=kept)
        for shape in (7, [1, 3], np.arange(6).reshape(2, 3))
    ]
    before = [value.numpy() for value in values]
    save_weight_parts(values, tmp_path, dtype=dtype)
    for value in values:
        value.assign(0 * value.numpy())
    load_weight_parts(values, tmp_path)
    for value, array in zip(values, before, strict=True):
        assert value.numpy().dtype == array.dtype
        np.testing.assert_array_equal(value.numpy(), array)


def test_files_without_a_list_of_bfloat16_are_read(tmp_path):
    """As they were before other types could be saved."""
    header = {"dtype": "bfloat16", "parts": 1, "shapes": [[1, 2], [1]]}
    np.savez(
        tmp_path / "weights-0.npz",
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        # The upper halves of 1.0 and -2.0.
        **{"0000": np.uint16([[0x3F80, 0xC000]]), "0001": np.float32([0.1])},
    )
    values = [keras.Variable(np.zeros((1, 2))), keras.Variable(np.zeros(1))]
    load_weight_parts(values, tmp_path)
    np.testing.assert_array_equal(values[0].numpy(), [[1.0, -2.0]])
    np.testing.assert_array_equal(values[1].numpy(), np.float32([0.1]))
