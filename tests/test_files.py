import datetime
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from uae_tf import files
from uae_tf.files import read_json, write_atomic, write_json


def strict(text):
    """Parse JSON as other languages do: NaN and Infinity are errors."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_round_trip_of_everything_a_result_holds(tmp_path):
    path = write_json(
        tmp_path / "new" / "results.json",
        {
            "float": np.float32(0.5),
            "int": np.int64(3),
            "bool": np.bool_(True),
            "array": np.array([[1.0, np.nan], [np.inf, -2.0]]),
            "empty": np.array([]),
            "nan": float("nan"),
            "tuple": (1, None, "é"),
            "path": Path("a") / "b",
            "date": datetime.date(2020, 1, 2),
            7: "number as key",
        },
    )
    assert strict(path.read_text(encoding="utf-8")) == read_json(path)
    assert read_json(path) == {
        "float": 0.5,
        "int": 3,
        "bool": True,
        "array": [[1.0, None], [None, -2.0]],
        "empty": [],
        "nan": None,
        "tuple": [1, None, "é"],
        "path": str(Path("a") / "b"),
        "date": "2020-01-02",
        "7": "number as key",
    }


@pytest.mark.parametrize(
    ("results", "match"),
    [
        ({"rows": [{"x": object()}]}, r"results\.rows\[0\]\.x is a object"),
        ({"x": np.array([1j])}, r"results\.x is an array of complex"),
        ({"x": np.array(None)}, r"results\.x holds an object"),
        ({"x": {(1, 2): 3}}, r"results\.x has the key \(1, 2\)"),
    ],
)
def test_what_json_cannot_hold_is_refused_before_writing(tmp_path, results, match):
    path = tmp_path / "results.json"
    with pytest.raises(TypeError, match=match):
        write_json(path, results)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_exception_in_the_middle_keeps_the_old_file(tmp_path, monkeypatch, error):
    path = write_json(tmp_path / "results.json", {"run": 1})

    def fail(descriptor):
        raise error

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(type(error)):
        write_json(path, {"run": 2})
    assert read_json(path) == {"run": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX only")
def test_sigkill_in_the_middle_keeps_the_old_file(tmp_path):
    path = write_json(tmp_path / "results.json", {"run": 1})
    script = textwrap.dedent(
        """
        import importlib.util, os, signal, sys

        # By its path: importing the package would load TensorFlow for seconds.
        spec = importlib.util.spec_from_file_location("files", sys.argv[2])
        files = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(files)
        files.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        files.write_json(sys.argv[1], {"run": 2, "rows": list(range(100_000))})
        """
    )
    command = [sys.executable, "-c", script, str(path), files.__file__]
    done = subprocess.run(command, check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_json(path) == {"run": 1}
    # What the killed process left behind is no obstacle to the next one.
    assert read_json(write_json(path, {"run": 3})) == {"run": 3}


def test_write_atomic_replaces(tmp_path):
    path = write_atomic(tmp_path / "a.bin", b"old")
    assert write_atomic(path, b"new").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ['{"rows": [', "[1, 2]", "\x80"])
def test_unreadable_results_name_the_file(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"results\.json .*start afresh"):
        read_json(path)
