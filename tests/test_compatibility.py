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
