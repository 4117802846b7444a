"""The repository's own models are complete, small, and what their cards say."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from uae_tf import datasets
from uae_tf.serving.card import FIELDS
from uae_tf.serving.models_config import model_names

MODELS = Path(__file__).parents[2] / "models"
VERSIONS = sorted(path.parent for path in MODELS.glob("*/*/card.json"))


def card_of(path):
    return json.loads((path / "card.json").read_text())


def test_originals_and_retrained_ones_are_listed_and_told():
    names = {path.parent.name for path in VERSIONS}
    originals = {"digits_dense", "mnist_dense", "mnist_sparse", "mnist_conv"}
    assert names == originals | {f"{name}_uae" for name in originals}
    assert set(model_names((MODELS / "models.config").read_text())) == names
    readme = (MODELS / "README.md").read_text()
    for path in VERSIONS:
        card = card_of(path)
        assert (card["name"], str(card["version"])) == path.parts[-2:]
        assert all(card[field] for field in FIELDS)
        assert f"{card['metrics']['test_error']:.6f}" in readme
        assert {"serving_default", "encode", "score", "attack"} < {*card["signatures"]}
        assert "attack_success_rate" in card["metrics"] or card["name"] in originals


def test_they_are_small():
    sizes = {
        path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        for path in VERSIONS
    }
    assert max(sizes.values()) < 3e6
    assert sum(sizes.values()) < 15e6


def test_the_digits_model_has_the_error_of_its_card(digits):
    check_error(MODELS / "digits_dense_uae" / "1", digits.x_test)


@pytest.mark.slow
@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.parent.name)
def test_every_model_has_the_error_of_its_card(path, data_dir):
    data = datasets.load(path.parent.name.split("_")[0], str(data_dir))
    check_error(path, data.x_test)


def check_error(path, x):
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["serving_default"](x=tf.constant(x))
    error = np.square(answer["reconstruction"].numpy() - x).mean(dtype=np.float64)
    assert error == pytest.approx(card_of(path)["metrics"]["test_error"], rel=1e-4)
