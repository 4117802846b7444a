"""An attack on several devices; a process of its own, for its logical ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("mirrored_attack.py")


@pytest.fixture(scope="module")
def report():
    found = subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("similarity", ["gaussian", "mine"])
def test_three_devices_find_what_one_does(report, similarity):
    found = report[similarity]
    assert max(found["differences"].values()) < 1e-5
    assert found["trace"] < 1e-5
    assert found["same_success"]
    assert found["traces"] == 1
    assert found["devices"] == 3
