"""The repository's own models are complete, small, and what their cards say."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from uae_tf import datasets
from uae_tf.evaluation import error_rate
from uae_tf.experiments.supervised.bench import load_classifier
from uae_tf.serving.card import FIELDS
from uae_tf.serving.models_config import model_names

MODELS = Path(__file__).parents[2] / "models"
EVERYTHING = sorted(path.parent for path in MODELS.glob("*/*/card.json"))
CLASSIFIERS = [path for path in EVERYTHING if (path / "assets.extra").exists()]
VERSIONS = [path for path in EVERYTHING if path not in CLASSIFIERS]


def card_of(path):
    return json.loads((path / "card.json").read_text())


def test_originals_and_retrained_ones_are_listed_and_told():
    names = {path.parent.name for path in VERSIONS}
    originals = {"digits_dense", "mnist_dense", "mnist_sparse", "mnist_conv"}
    assert names == originals | {f"{name}_uae" for name in originals}
    listed = set(model_names((MODELS / "models.config").read_text()))
    assert listed == {path.parent.name for path in EVERYTHING}
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
        for path in EVERYTHING
    }
    # A classifier's weights are there twice: in the graph, and for Keras.
    assert max(sizes[path] for path in VERSIONS) < 3e6
    assert max(sizes[path] for path in CLASSIFIERS) < 3.5e6
    assert sum(sizes.values()) < 18e6


def test_classifiers_are_listed_and_told():
    names = {path.parent.name for path in CLASSIFIERS}
    assert names == NAMES
    readme = (MODELS / "README.md").read_text()
    for path in CLASSIFIERS:
        card = card_of(path)
        assert all(card[field] for field in FIELDS)
        assert f"{card['metrics']['test_error_rate']:.4f}" in readme
        is_attacked = not path.parent.name.endswith("_features")
        assert ("attack" in card["signatures"]) == is_attacked
        assert card["signatures"]["encode"]


NAMES = {"mnist_classifier", "mnist_robust", "cifar10_classifier", "cifar10_features"}


@pytest.mark.parametrize("path", CLASSIFIERS, ids=lambda path: path.parent.name)
def test_a_classifier_for_keras_and_for_servers_is_the_same(path):
    model = load_classifier(path)
    assert not model.compiled
    x = np.random.default_rng(0).random((3, *model.input_shape[1:]), np.float32)
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["serving_default"](x=tf.constant(x))["output"]
    np.testing.assert_allclose(model(x), answer, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("path", CLASSIFIERS, ids=lambda path: path.parent.name)
def test_every_classifier_has_the_error_rate_of_its_card(path, data_dir):
    data = datasets.load(path.parent.name.partition("_")[0], str(data_dir))
    found = error_rate(load_classifier(path), data.x_test, data.y_test)
    assert found == pytest.approx(card_of(path)["metrics"]["test_error_rate"], abs=1e-3)


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
