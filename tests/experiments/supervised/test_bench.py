"""Classifiers of the supervised tables that are given, and those that are trained."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
from rich.console import Console

from uae_tf import UntargetedMargin, datasets, models
from uae_tf.evaluation.robustness import robust_accuracy
from uae_tf.experiments.progress import JobProgress
from uae_tf.experiments.supervised import SupervisedSettings, bench, supervised
from uae_tf.experiments.supervised.bench import Bench, load_classifier
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


def shown(progress):
    return progress._bars.tasks[1].description


def test_a_classifier_is_trained_once_and_kept(tmp_path, monkeypatch):
    def tiny(dataset, recipe):
        model = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
        return model

    short = dataclasses.replace(bench.classifier_recipe("digits", "modern"), epochs=1)
    monkeypatch.setattr(bench, "build_classifier", tiny)
    monkeypatch.setattr(bench, "classifier_recipe", lambda *_: short)
    chosen = SupervisedSettings(dataset="digits")
    first = Bench(chosen, tmp_path).classifier()
    again = Bench(chosen, tmp_path).classifier()
    np.testing.assert_array_equal(first.get_weights()[0], again.get_weights()[0])
    progress = JobProgress(1, Console(quiet=True))
    progress.start("a job")
    seen = []
    monkeypatch.setattr(
        progress, "update", lambda *counts: seen.append((shown(progress), *counts))
    )
    watched = Bench(chosen, tmp_path)
    watched.progress = progress
    other = watched.extractor()
    assert seen == [("training the extractor", 1, 1)]
    assert shown(progress) == "a job"
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_a_classifier_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"No classifier at .*assets.extra"):
        load_classifier(tmp_path)


@pytest.mark.slow
def test_adversarial_training_raises_robust_accuracy():
    data = datasets.load("digits", samples=300)
    x, y = data.x_train, data.y_train
    shared = {"epochs": 12, "learning_rate": 1e-2, "batch_size": 32}
    model = train_robust(x, y, epsilon=0.15, step_size=0.1, **shared)
    plain = train_robust(x, y, epsilon=1e-6, **shared)
    judged = (data.x_test[:50], data.y_test[:50], 0.15)
    assert robust_accuracy(model, *judged) > robust_accuracy(plain, *judged) + 0.1
    criterion = UntargetedMargin(model)
    wrong = criterion.evaluate(*([data.x_test[:50]] * 2), data.y_test[:50])[0] <= 0
    assert robust_accuracy(model, *judged) <= 1.0 - wrong.mean()
