"""Classifiers of the supervised tables that are given, and those that are trained."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest

from uae_tf import models
from uae_tf.experiments.supervised import SupervisedSettings, bench, supervised
from uae_tf.experiments.supervised.bench import Bench
from uae_tf.experiments.supervised.epsilon_sweep import EpsilonSweep
from uae_tf.experiments.supervised.robust_training import train_robust


def test_a_run_does_not_go_on_with_another_classifier_of_the_same_name(
    classifier, tmp_path, no_critics
):
    own = tmp_path / "own.keras"
    shutil.copy(classifier, own)
    settings = SupervisedSettings(
        table="epsilon-sweep",
        dataset="digits",
        classifier=str(own),
        epsilons=(0.3,),
        samples=2,
        steps=1,
    )
    supervised(settings, tmp_path / "run")
    more = dataclasses.replace(settings, epsilons=(0.3, 0.4))
    keras.utils.set_random_seed(1)
    models.CarliniWagnerClassifier(
        (8, 8, 1), filters=(6, 8), units=16, dropout=0.0, padding="same"
    ).save(own)
    with pytest.raises(ValueError, match=r"settings differ.*\n.*classifier_sha256"):
        supervised(more, tmp_path / "run", resume=True)
    shutil.copy(classifier, own)
    results = supervised(more, tmp_path / "run", resume=True)
    assert len(results["rows"]) == 4


def test_a_classifier_that_is_missing_leaves_no_results(tmp_path):
    settings = SupervisedSettings(dataset="digits", classifier=str(tmp_path / "none"))
    with pytest.raises(ValueError, match="No classifier at"):
        supervised(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bounds_without_a_success_have_no_length_to_tell():
    rows = [
        {"method": m, "epsilon": 0.01, "success_rate": 0.0, "l2": None}
        for m in ("minmax", "pgd")
    ]
    settings = SupervisedSettings(table="epsilon-sweep")
    found = EpsilonSweep(settings, None).findings(rows, {})
    assert found == [
        "minmax succeeds on every image at no bound tried.",
        "pgd succeeds on every image at no bound tried.",
    ]


def test_few_images_do_not_take_classes_from_the_robust_classifier(
    digits, tmp_path, monkeypatch
):
    assert len(np.unique(digits.y_train[:15])) < 10
    short = {"steps": 1, "samples_per_phase": 15}
    monkeypatch.setattr(
        bench,
        "train_robust",
        lambda *args, **kwargs: train_robust(*args, **kwargs | short),
    )
    settings = SupervisedSettings(
        table="robust", dataset="digits", robust_samples=15, robust_epochs=1
    )
    model = Bench(settings, tmp_path).robust_classifier()
    assert model.output_shape == (None, 10)
