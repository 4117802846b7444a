from dataclasses import replace

import keras
import numpy as np
import pytest

from uae_tf import PGDAttack, UntargetedMargin
from uae_tf.generation import GenerationError, generate, verify
from uae_tf.generation.journal import read_journal
from uae_tf.generation.manifest import read_manifest
from uae_tf.generation.shards import read_shard
from uae_tf.generation.status import summarize
from uae_tf.generation.verify import _contradictions


def test_a_sound_run(run, files):
    run()
    found = verify(run.directory)
    assert (found.shards, found.samples, found.reevaluated) == (7, 100, 0)
    assert found.is_sound
    assert "needs the model and the data" in str(found)
    found = verify(run.directory, files.model, files.x, samples=40)
    assert found.is_sound
    assert found.reevaluated == 40
    assert found.largest_difference < 1e-5
    assert str(found).endswith("sound")


def test_what_is_missing_or_damaged_is_named(interrupted):
    (interrupted.directory / "shard-0000001.npz").write_bytes(b"short")
    found = verify(interrupted.directory)
    assert (found.shards, found.samples) == (2, 32)
    text = str(found)
    assert "4 of 7 shards are missing" in text
    assert "shard 3 failed: RuntimeError: stopped here" in text
    assert "shard-0000001.npz has 5 bytes" in text
    assert text.endswith("3 problems")


def test_a_shard_that_contradicts_itself_is_told(run):
    run()
    plan = read_manifest(run.directory)
    record = read_journal(run.directory, plan)[0][1]
    result = read_shard(run.directory, plan, record)
    assert _contradictions(result, plan, record) == []
    assert 0 < record.successes < 16
    frozen = result.is_finite & ~result.success
    changes = {
        "examples outside of the bounds": {"examples": result.examples - 1.0},
        "successes among samples that are not finite": {"is_finite": frozen},
        "success that contradicts f": {"criterion": -result.criterion - 1e-3},
        "other counts than recorded": {"success": np.zeros(16, bool)},
    }
    for problem, change in changes.items():
        found = _contradictions(replace(result, **change), plan, record)
        assert f"shard-0000001.npz: {problem}" in found


def test_the_time_left_is_that_of_the_pace_and_the_workers(run):
    run()
    plan = read_manifest(run.directory)
    records = list(read_journal(run.directory, plan)[0].values())[:3]
    records = [replace(record, seconds=4.0, workers=2) for record in records]
    # 48 of 100 samples in 12 seconds of computing; two compute now.
    found = summarize(run.directory, plan, records, (), is_running=False)
    assert found.seconds_left == pytest.approx(52 * 12 / 48 / 2)


def test_numbers_that_are_not_true_are_found(run, files, monkeypatch):
    from uae_tf.generation import worker

    honest = worker.attack_rows

    def liar(*arguments):
        result = honest(*arguments)
        f = result.criterion.copy()
        f[[1, 3]] = -1.0
        return replace(result, criterion=f, success=f <= 0)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "attack_rows", liar)
        run()
    assert verify(run.directory).is_sound  # It agrees with itself.
    found = verify(run.directory, files.model, files.x)
    assert len(found.problems) == 2 * 7
    assert "sample 3: f is" in str(found)


def test_margins_are_not_measured_by_a_clean_loss_that_they_do_not_have(tmp_path):
    """The batches of a look differ from those of the run, and so does rounding."""
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8,)), keras.layers.Dense(64), keras.layers.Dense(4)]
    keras.Sequential(layers).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).random((100, 8), dtype="float32")
    y = model.predict(x, verbose=0).argmax(axis=1)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    attack = PGDAttack(UntargetedMargin(model), epsilon=0.1, steps=3)
    run = tmp_path / "run"
    generate(attack, tmp_path / "data.npz", run, shard_size=16, batch_size=16)
    found = verify(run, tmp_path / "model.keras", tmp_path / "data.npz", samples=37)
    assert found.is_sound, str(found)
    assert found.reevaluated == 37


def test_the_wrong_data_or_model_is_refused(run, files, tmp_path):
    run()
    np.save(tmp_path / "other.npy", np.zeros((100, 8), np.float32))
    with pytest.raises(GenerationError, match="another fingerprint"):
        verify(run.directory, files.model, tmp_path / "other.npy")
