"""The result: augmentation, files, text."""

import os
import pickle

import numpy as np
import pytest

from uae_tf import AttackResult


class Bomb:
    """Runs a command when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def result():
    generator = np.random.default_rng(0)
    return AttackResult(
        examples=generator.random((4, 3, 2), dtype=np.float32),
        success=np.array([True, False, True, False]),
        similarity=np.array([1.0, np.nan, 2.0, 0.5], np.float32),
        criterion=np.array([-1.0, np.nan, -0.5, 0.5], np.float32),
        l2=np.arange(4, dtype=np.float32),
        linf=np.arange(4, dtype=np.float32) / 10,
        is_finite=np.array([True, False, True, True]),
        trace={"criterion": np.zeros((3, 4), np.float32)},
    )


@pytest.mark.parametrize("is_traced", [True, False])
def test_files_hold_everything(result, tmp_path, is_traced):
    path = tmp_path / "result.npz"
    if not is_traced:
        result = AttackResult(**{**vars(result), "trace": None})
    result.save(path)
    loaded = AttackResult.load(str(path))
    for name, value in vars(result).items():
        if name != "trace":
            np.testing.assert_array_equal(getattr(loaded, name), value)
            assert getattr(loaded, name).dtype == value.dtype
    assert (loaded.trace is None) == (not is_traced)
    if is_traced:
        np.testing.assert_array_equal(
            loaded.trace["criterion"], result.trace["criterion"]
        )
    assert os.listdir(tmp_path) == ["result.npz"]


def test_files_are_replaced(result, tmp_path):
    path = tmp_path / "result.npz"
    path.write_text("old")
    result.save(path)
    assert len(AttackResult.load(path)) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_save_leaves_nothing(result, tmp_path, monkeypatch, error):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise error

    path = tmp_path / "result.npz"
    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(error):
        result.save(path)
    assert os.listdir(tmp_path) == []
    path.write_text("old")
    with pytest.raises(error):
        result.save(path)
    assert path.read_text() == "old"


def test_a_hostile_file_is_refused(result, tmp_path):
    path, booty = tmp_path / "hostile.npz", tmp_path / "owned"
    hostile = np.array([Bomb(booty)], dtype=object)
    arrays = {k: v for k, v in vars(result).items() if k != "trace"}
    np.savez(path, **{**arrays, "l2": hostile})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        AttackResult.load(path)
    path.write_bytes(pickle.dumps(Bomb(booty)))
    with pytest.raises(ValueError, match="contains pickled"):
        AttackResult.load(path)
    assert not booty.exists()


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, examples=np.zeros(3), weights=np.zeros(3))
    message = r"other\.npz' is not a saved AttackResult.*Received.*'weights'"
    with pytest.raises(ValueError, match=message):
        AttackResult.load(path)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match="not a saved AttackResult"):
        AttackResult.load(tmp_path / "array.npy")


def test_augmented_replaces_failures(result):
    x = np.full(result.examples.shape, 0.5)
    augmented = result.augmented(x)
    assert augmented.dtype == np.float32
    for row, success in enumerate(result.success):
        source = result.examples if success else x
        np.testing.assert_array_equal(augmented[row], source[row])


@pytest.mark.parametrize("shape", [(3, 3, 2), (4, 3), (4, 2, 3), ()])
def test_augmented_needs_the_samples(result, shape):
    with pytest.raises(ValueError, match=r"Expected shape \(4, 3, 2\). Received"):
        result.augmented(np.zeros(shape))


def test_augmented_does_not_mix_ranges(result):
    with pytest.raises(TypeError, match=r"x / 255\). Received: uint8"):
        result.augmented(np.full(result.examples.shape, 128, np.uint8))


def test_concatenate(result):
    both = AttackResult.concatenate([result, result])
    assert len(both) == 8
    assert both.examples.shape == (8, 3, 2)
    assert both.trace["criterion"].shape == (3, 8)


def test_numbers_in_short(result):
    assert result.success_rate == 0.5
    assert "4 samples of shape (3, 2)" in repr(result)
    assert "success_rate=0.5000" in repr(result)
    assert "not finite: 1" in repr(result)


def test_results_can_be_compared_and_hashed(result):
    assert result == result
    assert len({result, result}) == 1
