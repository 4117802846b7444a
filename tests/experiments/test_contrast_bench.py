"""What the recipe of the contrastive experiment does to models, attacks and heads."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from rich.console import Console

from uae_tf import datasets
from uae_tf.evaluation.contrastive import contrastive_loss
from uae_tf.evaluation.linear_probe import linear_head
from uae_tf.experiments.contrast import ContrastSettings, bench
from uae_tf.experiments.contrast import run as contrast_run
from uae_tf.experiments.contrast.bench import ContrastBench, augmentation
from uae_tf.experiments.contrast.experiment import Contrast
from uae_tf.experiments.contrast.run import ContrastRun, _Watcher
from uae_tf.experiments.contrast.settings import RECIPES
from uae_tf.models import SimCLR, SimCLRAugment
from uae_tf.optimizers import LARS

from .conftest import Silence

TINY = {"samples": 48, "epochs": 2, "batch_size": 16, "steps": 2, "width": 2}
TINY |= {"similarity": "gaussian", "num_views": 3}
QUICK = RECIPES["quick"]


def tiny_encoder(width, input_shape, dtype):
    """In the place of the ResNet-18."""
    del width, dtype
    inputs = keras.Input(input_shape)
    maps = layers.Conv2D(2, 3)(inputs)
    return keras.Model(inputs, layers.Dense(8)(layers.Flatten()(maps)))


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", samples=48)


@pytest.fixture(scope="module")
def quick(digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "ResNet18", tiny_encoder)
        yield ContrastBench(ContrastSettings("digits", **TINY), digits)


def test_a_rate_rises_to_that_of_the_recipe_and_falls(quick):
    rate = quick._optimizer(100)._learning_rate
    # Adam's does not follow from the batch.
    wanted = [0.0, QUICK.learning_rate, 0.0]
    assert [float(rate(n)) for n in (0, 10, 100)] == pytest.approx(wanted, abs=1e-9)


def test_the_paper_s_rate_follows_from_the_batch(quick, monkeypatch):
    monkeypatch.setattr(
        quick, "recipe", dataclasses.replace(RECIPES["paper"], batch_size=128)
    )
    optimizer = quick._optimizer(1000)
    assert isinstance(optimizer, LARS)
    assert float(optimizer._learning_rate(10)) == pytest.approx(0.5)


def test_models_and_criteria_follow_the_recipe(quick, digits):
    assert quick.factory("simclr")().temperature == QUICK.temperature
    attacked = quick.augmenter.criterion
    assert attacked.num_views == 3
    np.testing.assert_array_equal(quick.reference, digits.x_train)
    # Examples are judged by more views, none of which an attack has seen.
    assert quick.judge.num_views == 4
    assert quick.judge.seed != attacked.seed


def test_only_coloured_images_are_coloured_otherwise():
    found = [(a.strength, a.grey_probability) for a in map(augmentation, (3, 1))]
    usual = SimCLRAugment()
    assert found == [(usual.strength, usual.grey_probability), (0.0, 0.0)]


def test_no_arm_may_have_a_batch_of_one(digits):
    # 48 samples are none too many; with a copy of each one is left over.
    with pytest.raises(ValueError, match="leave a batch of one sample"):
        ContrastBench(ContrastSettings("digits", **TINY | {"batch_size": 95}), digits)


def test_heads_are_trained_with_seed_and_views_of_their_run(
    quick, tmp_path, monkeypatch
):
    told = []

    def head(features, y, **arguments):
        told.append(arguments)
        return linear_head(features, y, epochs=1, num_classes=10)

    monkeypatch.setattr(contrast_run, "linear_head", head)
    # Compiled anew, and tested by themselves.
    monkeypatch.setattr(contrast_run, "contrastive_loss", lambda *_: 1.0)
    monkeypatch.setattr(quick, "robustness", lambda _: [])
    seed_run = ContrastRun(quick, 3, tmp_path, Silence())
    weights = quick.factory("simclr")().get_weights()
    seed_run._measure(weights)
    recipe = dataclasses.replace(quick.recipe, head_augment=True)
    monkeypatch.setattr(quick, "recipe", recipe)
    seed_run._measure(weights)
    assert [t["seed"] for t in told] == [3, 3]
    assert told[0]["renew"] is None
    first, second = (told[1]["renew"]() for _ in range(2))
    assert first.shape == (48, 8)
    assert np.any(first != second)


def test_the_noise_is_chosen_by_the_share_of_errors(quick, tmp_path, monkeypatch):
    seed_run = ContrastRun(quick, 0, tmp_path, Silence())
    rows, judged = np.arange(40), np.arange(40, 48)
    asked = []

    def knn(known, known_labels, x, labels, k):
        asked.append((len(known), known_labels, len(x), labels, k))
        return 0.75

    monkeypatch.setattr(contrast_run, "knn_accuracy", knn)
    weights = quick.factory("simclr")().get_weights()
    assert seed_run._validation_error(weights, rows, judged) == 0.25
    ((known, known_labels, count, labels, k),) = asked
    assert (known, count, k) == (40, 8, 40)
    np.testing.assert_array_equal(known_labels, quick.data.y_train[:40])
    np.testing.assert_array_equal(labels, quick.data.y_train[40:])


def test_neighbours_are_asked_as_often_as_the_recipe_says():
    recipe = dataclasses.replace(QUICK, checks=5)
    run = SimpleNamespace(bench=SimpleNamespace(epochs=20, recipe=recipe))
    assert _Watcher(run, 100).epochs == {4, 8, 12, 16, 20}
    run.bench.epochs = 3
    assert _Watcher(run, 100).epochs == {1, 2, 3}


def test_the_contrastive_loss_has_the_temperature_of_its_model(quick, digits):
    parts = quick.factory("simclr")()
    losses = []
    for temperature in (0.2, 1e4):
        model = SimCLR(
            parts.encoder, parts.projection, temperature, augment=parts.augment
        )
        losses.append(contrastive_loss(model, digits.x_test[:8], 8))
    # Where it is high, all others are alike.
    assert losses[1] == pytest.approx(np.log(15.0), rel=1e-3)
    assert abs(losses[0] - losses[1]) > 0.01


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_new_run_takes_up_no_training_of_an_old_one(quick, tmp_path, is_resumed):
    saved = tmp_path / "backup" / "original-0"
    saved.mkdir(parents=True)
    run = Contrast(quick.settings, quick, tmp_path, False, Console(quiet=True))
    run.is_resumed = is_resumed
    run.prepare()
    assert saved.exists() == is_resumed


def test_the_paper_is_quoted_for_its_data_alone(quick, tmp_path):
    run = Contrast(quick.settings, quick, tmp_path, False, Console(quiet=True))
    assert run.paper_numbers("mine_uae")["paper_accuracy"] is None
    run.settings = dataclasses.replace(quick.settings, dataset="cifar10")
    assert run.paper_numbers("mine_uae")["paper_accuracy"] == 0.9288
    assert run.paper_numbers("original")["paper_accuracy"] == 0.913
