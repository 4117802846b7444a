import dataclasses
import html
import json

import keras
import numpy as np
import pytest
from keras import layers
from rich.console import Console

from uae_tf import CLAE, datasets
from uae_tf.datasets import Dataset
from uae_tf.evaluation.contrastive import contrastive_loss
from uae_tf.evaluation.embedding import embed
from uae_tf.evaluation.linear_probe import head_scores, linear_head
from uae_tf.experiments.arrays import read_arrays
from uae_tf.experiments.contrast import ContrastSettings, bench, contrast, pictures
from uae_tf.experiments.contrast import run as contrast_run
from uae_tf.experiments.contrast.bench import ContrastBench, shrink
from uae_tf.experiments.contrast.experiment import (
    Contrast,
    _loaded,
    _training_notes,
    training_check,
)
from uae_tf.experiments.contrast.pictures import SHOWN
from uae_tf.experiments.contrast.run import ContrastRun
from uae_tf.experiments.contrast.settings import RECIPES
from uae_tf.experiments.report import embedding
from uae_tf.experiments.storage import read_json, write_json
from uae_tf.models import SimCLR, SimCLRAugment
from uae_tf.training import Retrained

from .conftest import Silence

TINY = {"samples": 48, "epochs": 2, "batch_size": 16, "steps": 2, "width": 2}
TINY["similarity"] = "gaussian"


def tiny_encoder(width, input_shape, dtype):
    """In the place of the ResNet-18, whose graph takes ten seconds to trace."""
    inputs = keras.Input(input_shape)
    maps = layers.Conv2D(width, 3, name="stem_conv", dtype=dtype)(inputs)
    maps = layers.ReLU()(layers.BatchNormalization()(maps))
    return keras.Model(inputs, layers.Dense(8)(layers.Flatten()(maps)))


@pytest.fixture(scope="module", autouse=True)
def small_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "ResNet18", tiny_encoder)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three arms, one seed, coarse pictures, and the folder."""
    out = tmp_path_factory.mktemp("contrast") / "run"
    settings = ContrastSettings("digits", arms=SHOWN, seeds=1, **TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "_DPI", 30)
        patch.setattr(pictures, "_POINTS", 40)
        return contrast(settings, out), out


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits", samples=48)


def test_every_arm_has_its_row_and_equal_updates(run):
    results, out = run
    assert read_json(out / "results.json") == json.loads(json.dumps(results))
    rows = {row["arm"]: row for row in results["rows"]}
    assert list(rows) == ["untrained", "original", "mine_uae"]
    # Two epochs over 96 samples, in batches of 16.
    assert [row["updates"] for row in rows.values()] == [0, 12, 12]
    for row in rows.values():
        error, accuracy = row["test_error"]["mean"], row["accuracy"]["mean"]
        assert error == pytest.approx(100 * (1 - accuracy))
        (entry,) = results["runs"][row["arm"]].values()
        assert entry["knn_error"] == pytest.approx(100 * (1 - entry["knn_accuracy"]))
        assert 0.0 < row["knn_accuracy"]["mean"] < 1.0
        assert row["contrastive_loss"]["mean"] > 0.0
        assert row["head_cross_entropy"]["mean"] > 0.0
    assert 0.0 <= rows["mine_uae"]["success_rate"]["mean"] <= 1.0
    assert rows["mine_uae"]["l2"]["mean"] > 0.0
    assert rows["original"]["l2"] is None


def test_the_untrained_encoder_is_no_control(run):
    results, _ = run
    controls = [c["control"] for c in results["verdict"]["comparisons"]]
    assert controls == ["original"]
    assert any("Of the neighbours' error" in note for note in results["notes"])


def test_notes_speak_of_the_arms_that_were_run(run):
    (note,) = [note for note in run[0]["notes"] if note.startswith("Labels were used")]
    assert "gaussian_tuned" not in note


def test_curves_have_a_number_for_each_epoch(run):
    results, _ = run
    entry = results["runs"]["mine_uae"]["0"]
    assert len(entry["loss_curve"]) == 2
    assert [epoch for epoch, _ in entry["knn_curve"]] == [1, 2]
    # The last look at the neighbours is that of the finished encoder.
    assert entry["knn_curve"][-1][1] == pytest.approx(entry["knn_accuracy"])
    assert "loss_curve" not in results["runs"]["untrained"]["0"]


def test_every_encoder_has_a_robustness_curve_of_its_own(run):
    results, out = run
    radii = [0.0, *(radius / 255 for radius in RECIPES["quick"].radii)]
    for arm in SHOWN:
        entry = results["runs"][arm]["0"]
        found, accuracy = np.transpose(entry["robustness_curve"])
        np.testing.assert_allclose(found, radii)
        assert (np.diff(accuracy) <= 0.0).all()
    # Not those of the encoder or head that was measured before.
    settings = ContrastSettings("digits", arms=SHOWN, seeds=1, **TINY)
    data = datasets.load("digits", samples=48)
    trained = ContrastBench(settings, data)
    weights = read_arrays(out / "originals" / "original-simclr-0.npz")
    trained.judge.model.set_weights(list(weights.values()))
    encoder = trained.judge.model.encoder
    head = linear_head(embed(encoder, data.x_train), data.y_train)
    scores = head_scores(head, embed(encoder, data.x_test[:128]), data.y_test[:128])
    (_, clean), *_ = results["runs"]["original"]["0"]["robustness_curve"]
    assert clean == pytest.approx(scores["accuracy"])
    on_train = head_scores(head, embed(encoder, data.x_train), data.y_train)["accuracy"]
    train_error = results["runs"]["original"]["0"]["train_error"]
    assert train_error == pytest.approx(100 * (1 - on_train), abs=1e-4)


def test_settings_are_told_as_they_turned_out(run):
    settings = run[0]["settings"]
    assert settings["learning_rate"] == RECIPES["quick"].learning_rate
    assert settings["temperature"] == RECIPES["quick"].temperature
    assert settings["samples"] == 48
    assert "norm" not in settings
    assert "data_dir" not in settings


def test_report_in_the_experiments_own_words(run):
    _, out = run
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    for words in ("2 ln 99", "contrastive loss", "head cross-entropy", "kNN"):
        assert words in page
    assert "per pixel" not in page
    pictures = {path.stem for path in (out / "figures").glob("*.png")}
    assert pictures == {
        *("errors", "learning_curves", "embeddings", "retrieval", "examples"),
        *("convergence", "histogram", "robustness"),
    }
    assert not any((out / "backup").iterdir())


def test_a_run_goes_on_with_another_arm(run, tmp_path, monkeypatch):
    results, out = run
    for name in ("results.json", "figures.npz"):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    calls = []
    monkeypatch.setattr(
        ContrastRun, "run", lambda self, arm, _: calls.append(arm) or results["runs"]
    )
    arms = ("untrained", "original")
    settings = ContrastSettings("digits", arms=arms, seeds=1, **TINY)
    again = contrast(settings, tmp_path, resume=True)
    assert not calls
    assert again["runs"] == json.loads(json.dumps(results["runs"]))
    with pytest.raises(ValueError, match="width: saved 2, requested 3"):
        contrast(dataclasses.replace(settings, width=3), tmp_path, resume=True)


def test_noise_is_chosen_by_the_neighbours_of_training_samples(tmp_path, digits):
    digits = dataclasses.replace(digits, x_test=digits.x_test * np.nan)
    settings = ContrastSettings("digits", arms=("gaussian_tuned",), **TINY)
    seed_run = ContrastRun(ContrastBench(settings, digits), 0, tmp_path, Silence())
    rows, judged = np.arange(40), np.arange(40, 48)
    weights = seed_run.bench.factory("simclr")().get_weights()
    error = seed_run._validation_error(weights, rows, judged)
    assert error * 8 == pytest.approx(round(error * 8))
    assert np.isnan(seed_run._validation_error([weights[0] * np.nan], rows, judged))
    assert seed_run.stddevs == RECIPES["quick"].stddevs


def test_clae_leaves_behind_what_is_its_adversarial_branchs(
    tmp_path, digits, monkeypatch
):
    def train(factory, x, *, callbacks, **_):
        keras.utils.set_random_seed(7)
        calls.append((len(x), [type(c).__name__ for c in callbacks]))
        return Retrained(factory(), {"loss": [1.0]}, 1)

    calls = []
    monkeypatch.setattr(contrast_run, "retrain", train)
    settings = ContrastSettings("digits", tensorboard=True, **TINY)
    seed_run = ContrastRun(ContrastBench(settings, digits), 0, tmp_path, Silence())
    weights = seed_run._train("simclr", [], 12, "clae")
    plain = seed_run.bench.factory("simclr")()
    plain.set_weights(weights)
    keras.utils.set_random_seed(7)
    trained = seed_run.bench.factory("clae")()
    assert isinstance(trained, CLAE)
    x = digits.x_test[:4]
    np.testing.assert_array_equal(plain(x), trained(x))
    assert calls == [(48, ["BackupAndRestore", "TensorBoard", "_Watcher"])]


def test_a_training_that_diverged_is_told(tmp_path, digits):
    settings = ContrastSettings("digits", **TINY)
    seed_run = ContrastRun(ContrastBench(settings, digits), 0, tmp_path, Silence())
    weights = seed_run.bench.factory("simclr")().get_weights()
    found = seed_run._measure([weights[0] * np.nan, *weights[1:]])
    assert np.isnan(found["test_error"])
    assert np.isnan(found["knn_error"])


@pytest.mark.parametrize("missing", [3, 9])
def test_a_class_may_be_missing_among_few_samples(tmp_path, digits, missing):
    rows = digits.y_train != missing
    few = dataclasses.replace(
        digits, x_train=digits.x_train[rows], y_train=digits.y_train[rows]
    )
    settings = ContrastSettings("digits", **TINY)
    seed_run = ContrastRun(ContrastBench(settings, few), 0, tmp_path, Silence())
    found = seed_run._measure(seed_run.bench.factory("simclr")().get_weights())
    assert 0.0 < found["test_error"] < 100.0
    assert len(found["robustness_curve"]) == 1 + len(RECIPES["quick"].radii)


def test_arms_that_all_diverge_have_a_report(tmp_path, monkeypatch):
    def rush(self, updates):
        return keras.optimizers.SGD(1e30)

    monkeypatch.setattr(ContrastBench, "_optimizer", rush)
    arms = ("untrained", "original", "duplicated")
    results = contrast(ContrastSettings("digits", arms=arms, seeds=1, **TINY), tmp_path)
    assert [row.get("error") for row in results["rows"]] == [
        None,
        *["no finite error"] * 2,
    ]
    assert (tmp_path / "report.html").exists()
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert drawn == {"embeddings", "retrieval", "robustness"}
    # Nor is one arm shown with the features of another.
    arrays = read_arrays(tmp_path / "figures.npz")
    assert not [name for name in arrays if name.endswith("/original")]


def test_a_training_killed_after_its_last_epoch_goes_on(tmp_path, digits, monkeypatch):
    settings = ContrastSettings("digits", **TINY)
    bench_ = ContrastBench(settings, digits)
    straight = ContrastRun(bench_, 0, tmp_path / "a" / "originals", Silence())
    expected = straight._train("simclr", [], 12, "original")
    killed = ContrastRun(bench_, 0, tmp_path / "b" / "originals", Silence())
    ask = ContrastRun.neighbours_accuracy

    def die_at_the_end(self, model):
        calls.append(model)
        if len(calls) == settings.epochs:
            raise KeyboardInterrupt
        return ask(self, model)

    calls = []
    monkeypatch.setattr(ContrastRun, "neighbours_accuracy", die_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        killed._train("simclr", [], 12, "original")
    found = killed._train("simclr", [], 12, "original")
    # No epoch is left: what was saved is what is taken.
    assert len(calls) == settings.epochs
    for received, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(received, wanted)


def numbers(accuracy, losses=(3.0, 2.0), curve=((1, 0.3), (2, 0.4))):
    return {
        "accuracy": accuracy,
        "knn_accuracy": accuracy - 0.02,
        "loss_curve": list(losses),
        "knn_curve": [list(point) for point in curve],
    }


def test_whether_training_worked_is_said():
    untrained = {"0": numbers(0.25), "1": numbers(0.24)}
    trained = {
        "0": numbers(0.45, losses=[5.0] * 5 + [4.0] * 5 + [3.0]),
        "1": numbers(0.41, losses=[5.0] * 5 + [4.0] * 5 + [4.5]),
    }
    check = training_check({"untrained": untrained, "original": trained})
    assert check["gains"]["0"]["accuracy"] == pytest.approx(20.0)
    assert check["is_loss_falling"] == {"0": True, "1": False}
    assert check["is_knn_rising"]
    (note,) = _training_notes(check)
    assert "at least 17.0 points by the linear head and 17.0 by neighbours" in note
    assert "which reach the 15" in note
    assert "1 of 2 seeds" in note
    weak = training_check({"untrained": untrained, "original": untrained})
    assert "which do not reach the 15" in _training_notes(weak)[0]
    assert _training_notes(training_check({})) == []


def test_a_short_training_is_not_said_to_have_gone_well():
    """Five epochs and one check: nothing to compare with, and the loss rises."""
    short = {"0": numbers(0.45, losses=[1.0, 2.0, 3.0, 4.0, 5.0], curve=[(5, 0.3)])}
    check = training_check({"untrained": {"0": numbers(0.25)}, "original": short})
    assert (check["is_loss_falling"], check["is_knn_rising"]) == ({}, None)
    (note,) = _training_notes(check)
    assert "which reach the 15 that we ask for." in note
    assert "loss" not in note
    assert "rise" not in note


def test_a_forgotten_resume_does_no_harm(tmp_path, digits):
    """Neither to what a killed training has saved, nor by taking up another's."""
    settings = ContrastSettings("digits", arms=SHOWN, seeds=1, **TINY)
    saved = tmp_path / "backup" / "original-0" / "state"
    bench_ = ContrastBench(settings, digits)
    killed = Contrast(settings, bench_, tmp_path, False, Console(quiet=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Contrast, "run_jobs", lambda _: saved.parent.mkdir(parents=True))
        patch.setattr(Contrast, "figures", lambda *_: {})
        patch.setattr("uae_tf.experiments.resumable_run.write_report", lambda *_: None)
        killed.run()
    results = read_json(tmp_path / "results.json")
    write_json(tmp_path / "results.json", {**results, "complete": False})
    with pytest.raises(ValueError, match="Go on with --resume"):
        contrast(settings, tmp_path)
    assert saved.parent.exists()
    with pytest.raises(ValueError, match="epochs: saved 2, requested 3"):
        contrast(dataclasses.replace(settings, epochs=3), tmp_path, resume=True)


def test_a_small_set_is_taken_whole():
    settings, data = _loaded(ContrastSettings("digits"))
    assert settings.samples == len(data.x_train) == 1437
    with pytest.raises(ValueError, match="2000"):
        _loaded(ContrastSettings("digits", samples=2000))


def test_data_that_do_not_fit(digits):
    with pytest.raises(ValueError, match=r"leave a batch of one sample.*no negatives"):
        ContrastBench(ContrastSettings("digits", batch_size=47), digits)
    with pytest.raises(ValueError, match=r"`side` must divide.*8 and 8.*side=3"):
        ContrastBench(ContrastSettings("digits", **TINY, side=3), digits)
    rows = np.zeros((4, 6), "float32"), np.zeros(4, int)
    with pytest.raises(ValueError, match=r"must hold images.*shape \(6,\)"):
        ContrastBench(ContrastSettings(**TINY), Dataset(*rows, *rows, name="table"))


def test_small_images_are_means_of_squares():
    images = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(shrink(images, 2)[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])


def test_bfloat16_is_for_the_encoder(digits):
    settings = ContrastSettings("digits", precision="bfloat16", **TINY)
    model = ContrastBench(settings, digits).factory("simclr")()
    assert model.encoder.get_layer("stem_conv").compute_dtype == "bfloat16"


def test_the_contrastive_loss_is_that_of_batches_of_one_size():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    encoder = keras.Model(inputs, layers.Flatten()(inputs))
    head = keras.Sequential([keras.Input((48,)), layers.Dense(8)])
    augment = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=0)
    model = SimCLR(encoder, head, augment=augment)
    same = np.full((10, 4, 4, 3), 0.5, "float32")
    for size in (2, 5):
        assert contrastive_loss(model, same, size) == pytest.approx(
            np.log(2 * size - 1), rel=1e-4
        )
    x = np.random.default_rng(0).random((10, 4, 4, 3)).astype("float32")
    assert contrastive_loss(model, x, 5) == contrastive_loss(model, x, 5)
    assert contrastive_loss(model, x, 5) != contrastive_loss(model, x, 5, seed=1)
    with pytest.raises(ValueError, match=r"must lie in 2 ... 10.*batch_size=1"):
        contrastive_loss(model, x, 1)
