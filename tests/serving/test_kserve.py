"""KServe's V1 REST protocol, from a virtual environment of its own.

python -m venv kserve && kserve/bin/pip install kserve tensorflow
UAE_TF_KSERVE_PYTHON=kserve/bin/python python -m pytest -m serving
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.serving
SCRIPT = Path(__file__).with_name("kserve_server.py")


def call(url, content=None):
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(process, url):
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            if call(url)[0] == 200:
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("KServe did not come up")


@pytest.fixture(scope="module")
def url(served, tmp_path_factory):
    python = os.environ.get("UAE_TF_KSERVE_PYTHON")
    if python is None:
        pytest.skip("UAE_TF_KSERVE_PYTHON names no Python with KServe")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("kserve") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, SCRIPT, "tiny", served.path, str(port)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/v1/models/tiny")
        yield f"http://127.0.0.1:{port}/v1/models/tiny:predict"
    except RuntimeError as error:
        raise RuntimeError(log.read_text()) from error
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_instances_become_predictions(url, served):
    status, answer = call(url, {"instances": served.arrays["x"].tolist()})
    assert status == 200
    expected = served.expected["serving_default/reconstruction"]
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-6)


def test_the_attack_answers_row_by_row(url, served):
    rows = [{"x": x, "seed": 7} for x in served.arrays["x"].tolist()]
    content = {"signature_name": "attack", "instances": rows[:1]}
    status, answer = call(url, content)
    assert status == 200
    (row,) = answer["predictions"]
    assert sorted(row) == ["examples", "similarity", "success"]
    expected = served.expected["attack/examples"][0]
    np.testing.assert_allclose(row["examples"], expected, atol=1e-6)
    content["instances"] = rows
    assert len(call(url, content)[1]["predictions"]) == len(rows)


def test_a_bad_request_gets_an_error_and_the_next_an_answer(url, served):
    for array in ("half", "empty"):
        status, answer = call(url, {"instances": served.arrays[array].tolist()})
        assert status == 400
        assert "`x` must have" in answer["error"]
    good = {"instances": served.arrays["x"].tolist()}
    assert call(url, good)[0] == 200
