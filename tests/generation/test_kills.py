"""Runs whose processes are killed, each of them in the middle of a shard."""

import os
import signal
import subprocess
import sys

import keras
import pytest

from uae_tf import Reconstruction
from uae_tf.generation import GenerationError, generate, status

from .conftest import HERE, SETTINGS, shards

pytestmark = pytest.mark.slow

PIPELINE = "generation_samples:pipeline"


@pytest.fixture(scope="module")
def attack(files):
    from generation_samples import SignallingNoise

    return SignallingNoise(0.1, Reconstruction(keras.saving.load_model(files.model)))


@pytest.fixture(scope="module")
def undisturbed(attack, tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    generate(attack, PIPELINE, directory, **SETTINGS)
    return shards(directory)


@pytest.fixture
def signal_at(monkeypatch, tmp_path):
    """Has the process that attacks a sample get a signal, once or each time."""

    def at(sample, number, once=True):
        flag = tmp_path / "flag" if once else tmp_path
        if once:
            flag.touch()
        monkeypatch.setenv("SIGNAL_AT", f"{sample}:{int(number)}:{flag}")

    return at


def drive(files, out, *options):
    """The command line, as a user would start it."""
    command = [sys.executable, HERE / "signalling_cli.py", "--data", PIPELINE]
    command += ["--model", files.model, "--out", out, *options]
    return subprocess.run(
        list(map(str, command)),
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_driver_is_killed_then_asked_to_stop(
    files, attack, undisturbed, tmp_path, signal_at
):
    out = tmp_path / "run"
    signal_at(37, signal.SIGKILL)
    assert drive(files, out).returncode == -signal.SIGKILL
    assert status(out).shards == 2
    assert not status(out).is_running
    signal_at(70, signal.SIGTERM)
    stopped = drive(files, out, "--resume")
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.endswith("Go on with the same command and --resume.\n")
    # Sample 70 is of the fifth shard, which was finished.
    assert status(out).shards == 5
    assert generate(attack, PIPELINE, out, **SETTINGS, resume=True).is_complete
    assert shards(out) == undisturbed


def test_a_worker_is_killed(attack, undisturbed, tmp_path, signal_at):
    signal_at(37, signal.SIGKILL)
    done = generate(attack, PIPELINE, tmp_path / "run", **SETTINGS, workers=2)
    assert not (tmp_path / "flag").exists()
    assert done.is_complete
    assert done.failures == {}
    assert shards(tmp_path / "run") == undisturbed


def test_a_shard_that_kills_its_workers_does_not_stop_the_others(
    attack, undisturbed, tmp_path, signal_at
):
    signal_at(37, signal.SIGKILL, once=False)
    out = tmp_path / "run"
    with pytest.raises(GenerationError, match="3 workers died over this shard"):
        generate(attack, PIPELINE, out, **SETTINGS, workers=1)
    assert status(out).shards == 6
    signal_at(-1, 0)
    assert generate(attack, PIPELINE, out, **SETTINGS, resume=True).is_complete
    assert shards(out) == undisturbed


def test_a_driver_with_workers_is_killed(
    files, attack, undisturbed, tmp_path, monkeypatch
):
    # The driver dies when it is to record the first shard, which is written by then.
    monkeypatch.setenv("KILLED_AT_RECORD", "1")
    out = tmp_path / "run"
    assert drive(files, out, "--workers", "2").returncode == -signal.SIGKILL
    assert status(out).shards == 0
    assert generate(attack, PIPELINE, out, **SETTINGS, resume=True).is_complete
    assert shards(out) == undisturbed
