"""What may happen to a run, and that it ends as if nothing had."""

import errno
import os
import resource
import signal

import keras
import numpy as np
import pytest
from filelock import FileLock

from uae_tf import MinMaxAttack, Reconstruction
from uae_tf.generation import GenerationError, generate, load, status
from uae_tf.generation import run as run_module

from .conftest import SETTINGS, shards


def other_model():
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8,)), keras.layers.Dense(8, "sigmoid")]
    return keras.Sequential(layers)


def test_failed_shards_are_computed_when_the_run_goes_on(interrupted, undisturbed):
    assert interrupted(resume=True).failures == {}
    assert shards(interrupted.directory) == undisturbed
    assert status(interrupted.directory).failures == {}


def test_one_bad_shard_does_not_stop_the_others(run, files, tmp_path):
    x = np.load(files.x)
    x[20] = 3.0
    np.save(tmp_path / "bad.npy", x)
    with pytest.raises(GenerationError, match=r"1 shards failed.*outside bounds"):
        run(data=tmp_path / "bad.npy")
    assert status(run.directory).shards == 6


@pytest.mark.parametrize("damage", ["flipped", "short", "gone", "other"])
def test_damaged_shards_are_computed_again(run, undisturbed, damage):
    run()
    path = run.directory / "shard-0000002.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        other = undisturbed["shard-0000003.npz"]
        path.write_bytes({"flipped": data, "short": data[:100], "other": other}[damage])
    with pytest.raises(GenerationError, match="shard-0000002"):
        load(run.directory)
    assert run(resume=True).is_complete
    assert shards(run.directory) == undisturbed


def test_size_alone_can_be_asked_for(run):
    run()
    path = run.directory / "shard-0000002.npz"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert run(resume=True, check="size").is_complete
    assert path.read_bytes() == data


def test_a_disk_that_is_full_in_the_middle_of_a_file(interrupted, undisturbed):
    # A limit on the size of files: the kernel itself refuses to write on.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        with pytest.raises(GenerationError, match=r"could not be written.*--resume"):
            interrupted(resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(shards(interrupted.directory)) == 3
    assert not list(interrupted.directory.glob(".*.tmp"))
    assert interrupted(resume=True).is_complete
    assert shards(interrupted.directory) == undisturbed


@pytest.mark.parametrize("sink", ["npz", "tfrecord"])
def test_a_disk_that_is_full_at_the_last_step(run, monkeypatch, sink):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    run(sink=sink)
    before = shards(run.directory)
    (run.directory / f"shard-0000000.{sink}").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(GenerationError, match=r"No space left.*make room"):
            run(resume=True, sink=sink)
    assert not list(run.directory.glob(".*.tmp"))
    assert run(resume=True, sink=sink).is_complete
    assert shards(run.directory) == before


def test_half_a_line_in_the_journal_is_no_record(run, undisturbed):
    run()
    journal = run.directory / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert status(run.directory).shards == 6
    assert run(resume=True).is_complete
    assert shards(run.directory) == undisturbed
    assert status(run.directory).is_complete


def test_leftovers_of_a_kill_are_removed(run):
    run()
    (run.directory / ".shard-0000001.npz.abc.tmp").write_bytes(b"half")
    run(resume=True)
    assert not list(run.directory.glob(".*.tmp"))


def test_other_settings_are_refused_with_both_sides(run, attack, files):
    run()
    with pytest.raises(GenerationError, match="shard_size: saved 16, requested 8"):
        run(resume=True, shard_size=8)
    other = MinMaxAttack(Reconstruction(attack.criterion.model), None, steps=5)
    with pytest.raises(GenerationError, match="steps: saved 3, requested 5"):
        generate(other, files.x, run.directory, **SETTINGS, resume=True)


@pytest.mark.parametrize("package", ["tensorflow", "keras", "uae_tf"])
def test_other_versions_of_what_computes_are_refused(run, monkeypatch, package):
    run()
    described = {**run_module.environment(), package: "1.15"}
    monkeypatch.setattr(run_module, "environment", lambda: described)
    with pytest.raises(GenerationError, match=rf"{package}: saved .*requested .1\.15"):
        run(resume=True)


def test_other_weights_are_refused(run, files):
    run()
    other = MinMaxAttack(Reconstruction(other_model()), steps=3)
    with pytest.raises(GenerationError, match=r"model.weights: saved .* requested"):
        generate(other, files.x, run.directory, **SETTINGS, resume=True)


def test_a_model_file_that_was_changed_is_refused(run):
    run()
    other_model().save(run.directory / "model.keras")
    (run.directory / "shard-0000000.npz").unlink()
    with pytest.raises(GenerationError, match="not the model of this run"):
        run(resume=True)


def test_a_source_that_changed_is_refused_and_one_that_moved_is_not(
    run, files, tmp_path
):
    run()
    x = np.load(files.x)
    np.save(tmp_path / "moved.npy", x)
    assert run(resume=True, data=tmp_path / "moved.npy").is_complete
    x[99, 7] += 0.01
    np.save(tmp_path / "changed.npy", x)
    with pytest.raises(GenerationError, match=r"source.fingerprint: saved"):
        run(resume=True, data=tmp_path / "changed.npy")


def test_two_drivers_on_one_directory(run):
    run()
    with (
        FileLock(run.directory / ".lock"),
        pytest.raises(GenerationError, match="Another driver is at work"),
    ):
        run(resume=True)
