import sys

import numpy as np

from uae_tf.environment import environment
from uae_tf.files import read_json, write_json


def test_environment_is_json_and_hides_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys, "argv", ["/some/where/uae-tf", "reconstruct", "--out", "a b"]
    )
    described = environment()
    assert described["command"] == "uae-tf reconstruct --out 'a b'"
    assert described["cpu_count"] >= 1
    assert described["numpy"] == np.__version__
    assert described["date"].endswith("+00:00")
    assert read_json(write_json(tmp_path / "e.json", described)) == described
