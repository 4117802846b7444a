import json

import numpy as np
import pytest

from uae_tf.compatibility import is_compatible


def test_compatible_settings():
    saved = json.loads(json.dumps({"shape": [8, 8], "attack": {"steps": 40}}))
    requested = {"shape": (8, 8), "attack": {"steps": np.int64(40)}, "out": "b"}
    assert is_compatible(saved, requested, ignore=("out",)) is True


def test_every_difference_is_shown_with_both_sides():
    with pytest.raises(ValueError, match="differ from those of the saved run") as info:
        is_compatible(
            {"epochs": 30, "attack": {"steps": 40, "epsilon": 1.0}, "old": 1},
            {"epochs": 50, "attack": {"steps": 20, "epsilon": 1.0}, "model": "conv"},
        )
    message = str(info.value)
    assert "epochs: saved 30, requested 50" in message
    assert "attack.steps: saved 40, requested 20" in message
    assert "old: saved 1, requested nothing" in message
    assert 'model: saved nothing, requested "conv"' in message
    assert "epsilon" not in message


def test_what_is_equal_in_json_may_go_on():
    saved = {"rate": 1, "limit": None, "other": float("nan"), "list": [2.0]}
    requested = {"rate": 1.0, "limit": float("inf"), "other": np.nan, "list": (2,)}
    assert is_compatible(saved, {**requested, "own": object()}, ignore=("own",))


@pytest.mark.parametrize(
    ("saved", "requested"),
    [
        (float("inf"), -float("inf")),
        (float("nan"), 1.0),
        (1.0, float("nan")),
        (True, 1),
        ([0], [False]),
        ([{"b": 1}], [{"b": 2}]),
        ([1], [1, 2]),
        ({}, {"b": 1}),
        ({"b": 1}, None),
    ],
)
def test_no_difference_passes(saved, requested):
    with pytest.raises(ValueError, match="  a"):
        is_compatible({"a": saved}, {"a": requested})


def test_a_dot_in_a_name_is_no_nesting():
    with pytest.raises(ValueError, match=r'a: saved \{"b": 1\}, requested nothing'):
        is_compatible({"a": {"b": 1}}, {"a.b": 1})
