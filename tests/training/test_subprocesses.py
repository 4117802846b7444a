"""What needs a process of its own: SIGKILL, op determinism, logical devices."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, HERE / script, *map(str, arguments)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


@pytest.mark.slow
def test_killed_and_started_again_ends_bit_for_bit_as_a_straight_run(tmp_path):
    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    straight = start(
        "killable_run.py", tmp_path / "straight", tmp_path / "straight.npz"
    )
    # Epoch 4 is the second of a phase: its examples were made an epoch before.
    arguments = (tmp_path / "killed", tmp_path / "killed.npz")
    killed = start("killable_run.py", *arguments, 4)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.npz").exists()
    finish(start("killable_run.py", *arguments))
    finish(straight)
    expected = np.load(tmp_path / "straight.npz")
    got = np.load(tmp_path / "killed.npz")
    assert expected.files == got.files
    for name in expected.files:
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.slow
def test_mirrored_strategy_on_two_logical_devices():
    report = json.loads(finish(start("mirrored_run.py")).splitlines()[-1])
    assert report["replicas"] == 2
    assert report["epochs"] == [2, 4]
    assert min(report["success"]) > 0
    assert report["updates"] == 24
    assert report["traces"] == 1
    assert report["loss"][-1] < report["loss"][0]
    assert report["retrained"] == 7


@pytest.mark.slow
def test_simclr_on_two_devices_equals_one_device_with_the_whole_batch():
    report = json.loads(finish(start("mirrored_simclr.py")).splitlines()[-1])
    one, two = report["losses"]
    assert abs(one - two) < 1e-6
    assert report["gradient_difference"] < 1e-6 < report["gradient"]
    for name, value in report["numbers"].items():
        assert abs(report["mirrored_numbers"][name] - value) < 1e-5
    assert report["synchronized"]
    assert report["weight_difference"] < 1e-5 < 0.01 < report["moved"]
