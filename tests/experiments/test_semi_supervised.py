import dataclasses
import functools
import html
import json
import math

import numpy as np
import pytest

from uae_tf import datasets
from uae_tf.experiments import resumable_run
from uae_tf.experiments import semi_supervised as package
from uae_tf.experiments.report import render_report
from uae_tf.experiments.semi_supervised import (
    SemiSupervisedSettings,
    semi_supervised,
    semi_supervised_circles,
    summary,
)
from uae_tf.experiments.semi_supervised.arms import METHODS, Trial, parse_arm
from uae_tf.experiments.semi_supervised.bench import Bench, evenly_spaced
from uae_tf.experiments.semi_supervised.protocols import PROTOCOLS
from uae_tf.experiments.storage import read_json
from uae_tf.experiments.verdict import verdict
from uae_tf.models import AdversarialExampleGenerator, ConvolutionalClassifier

experiment = package.experiment

TINY = {"updates": 10, "seeds": 2, "choice_seeds": 1}
ONE_SEED = {**TINY, "seeds": 1}
GRIDS = {"epsilon_grid": (0.05, 0.5), "lambda_grid": (10.0,)}


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """All methods on the digits, one seed, as returned, and the folder."""
    out = tmp_path_factory.mktemp("semi") / "run"
    settings = SemiSupervisedSettings(
        "digits", methods=tuple(METHODS), samples=400, **ONE_SEED, **GRIDS
    )
    return semi_supervised(settings, out), out


def numbers(entry):
    """What a training measured, without what it took."""
    return {k: v for k, v in entry.items() if not k.endswith("seconds")}


def test_every_arm_has_its_row_and_equal_updates(digits_run):
    results, out = digits_run
    assert results["complete"]
    assert [row["arm"] for row in results["rows"]] == list(METHODS)
    assert {row["updates"] for row in results["rows"]} == {10}
    assert read_json(out / "results.json") == json.loads(json.dumps(results))
    assert "data_dir" not in results["settings"]
    assert "noise" not in results["settings"]


def test_settings_are_chosen_by_the_lowest_validation_error(digits_run):
    results, _ = digits_run
    runs = results["runs"]
    errors = {e: runs[f"vat@{e:g}"]["0"]["validation_error"] for e in (0.05, 0.5)}
    chosen = min(errors, key=errors.get)
    rows = {row["arm"]: row for row in results["rows"]}
    for arm in ("vat", "random", "vat_entmin"):
        assert rows[arm]["setting"] == chosen
        assert len(runs[f"{arm}@{chosen:g}"]) == 1
    assert rows["supervised"]["setting"] is None
    assert rows["generator_entmin"]["setting"] == rows["generator"]["setting"] == 10.0
    entropies = [runs[f"{a}@10"]["0"].get("entropy") for a in rows if "generator" in a]
    assert entropies[0] is None
    assert entropies[1] > 0
    assert any(f"epsilon {chosen:g} had the lowest" in n for n in results["notes"])
    assert set(results["sensitivity"]["vat"]) == {"0.05", "0.5"}
    assert any("up to an L2 length of 0.15" in n for n in results["notes"])


def test_rows_and_verdict_follow_from_the_trainings(digits_run):
    results, _ = digits_run
    values = {}
    for row in results["rows"]:
        setting = row["setting"]
        key = row["arm"] if setting is None else f"{row['arm']}@{setting:g}"
        entries = results["runs"][key]
        values[row["arm"]] = [entries["0"]["test_error"]]
        assert row["test_error"]["values"] == values[row["arm"]]
    controls = [name for name in values if not name.startswith("generator")]
    assert results["verdict"] == verdict(values, "generator", controls).to_dict()


def test_lengths_of_changes(digits_run):
    rows = {row["arm"]: row for row in digits_run[0]["rows"]}
    assert rows["supervised"]["l2"] is None
    for arm in ("vat", "random", "vat_entmin"):
        assert rows[arm]["l2"]["mean"] == pytest.approx(rows[arm]["setting"], rel=1e-3)
    assert rows["generator"]["l2"]["mean"] > 0
    assert rows["mine_uae"]["l2"]["mean"] > 0


def test_report_in_the_experiments_own_words(digits_run):
    _, out = digits_run
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    assert "test error" in page
    assert "per pixel" not in page
    assert "unsupervised adversarial example (UAE) if it looks" not in page
    for word in ("virtual adversarial training", "Chosen and fixed settings"):
        assert word.lower() in page.lower()
    assert '<span class="unit">%</span>' in page
    pictures = {path.stem for path in (out / "figures").glob("*.png")}
    assert pictures == {"errors", "generated", "sensitivity"}


def test_equal_seeds_give_equal_numbers(digits_run):
    results, _ = digits_run
    settings = SemiSupervisedSettings("digits", samples=400, **ONE_SEED, **GRIDS)
    _, again = Bench(settings).train(Trial("vat", 0.5), seed=0)
    assert numbers(again) == numbers(results["runs"]["vat@0.5"]["0"])


def test_circles_at_two_noises_and_their_picture(tmp_path):
    settings = SemiSupervisedSettings(
        methods=("supervised", "vat_0.1"), updates=10, seeds=1
    )
    found = semi_supervised_circles(settings, (0.01, 0.06), tmp_path)
    assert [folder.name for folder in found] == ["noise-0.01", "noise-0.06"]
    easy, hard = found.values()
    assert easy["settings"]["noise"] == 0.01
    assert [row["paper"] and row["paper"]["mean"] for row in hard["rows"]] == [
        None,
        24.61,
    ]
    assert any("about 4.78 %" in note for note in hard["notes"])
    assert (tmp_path / "decision_boundaries.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "noise-0.06" / "figures" / "boundaries.png").exists()
    # Fixed settings are no controls, and nothing was searched.
    assert hard["choices"] == {}
    assert hard["verdict"] is None
    with pytest.raises(ValueError, match="`noise` must be one or more different"):
        semi_supervised_circles(settings, (0.01, 0.01), tmp_path)


@pytest.fixture
def instant(monkeypatch):
    """Numbers that depend on the trial and the seed, without the training."""
    calls = []
    answers = {}

    def train(self, trial, seed, progress=None):
        calls.append((trial.key, seed))
        answer = answers.get((trial.key, seed))
        if isinstance(answer, BaseException):
            raise answer
        error = 10.0 + seed + (trial.value or 0.0)
        return None, {"test_error": error, "validation_error": error, "seconds": 1.0}

    monkeypatch.setattr(Bench, "train", train)
    monkeypatch.setattr(experiment.Pictures, "collect", lambda *_: None)
    monkeypatch.setattr(resumable_run, "write_report", lambda *_: None)
    train.calls, train.answers = calls, answers
    return train


def settings_of(methods=("supervised", "vat", "generator"), **changes):
    return SemiSupervisedSettings(methods=methods, **{**TINY, **GRIDS, **changes})


def test_an_interrupted_run_goes_on_where_it_was(instant, tmp_path):
    instant.answers["generator@10", 1] = KeyboardInterrupt()
    results = semi_supervised(settings_of(), tmp_path)
    assert not results["complete"]
    done = [call for call in instant.calls if call != ("generator@10", 1)]
    with pytest.raises(ValueError, match=r"unfinished run.*--resume"):
        semi_supervised(settings_of(), tmp_path)
    with pytest.raises(ValueError, match="updates: saved 10, requested 11"):
        semi_supervised(settings_of(updates=11), tmp_path, resume=True)
    instant.answers.clear()
    instant.calls.clear()
    resumed = semi_supervised(settings_of(), tmp_path, resume=True)
    assert resumed["complete"]
    assert instant.calls == [("generator@10", 1)]
    assert len(done) == len(set(done))


def test_more_seeds_and_arms_keep_what_is_done(instant, tmp_path):
    semi_supervised(settings_of(), tmp_path)
    instant.calls.clear()
    methods = ("supervised", "vat", "generator", "vat_0.5")
    semi_supervised(settings_of(methods, seeds=3), tmp_path, resume=True)
    added = {("supervised", 2), ("vat@0.05", 2), ("generator@10", 2)}
    assert set(instant.calls) == added | {("vat@0.5", 1), ("vat@0.5", 2)}


def test_a_training_that_diverged_is_counted_and_not_chosen(instant, tmp_path):
    message = "The term 'nll' of the loss is not finite"
    instant.answers["vat@0.05", 0] = FloatingPointError(message)
    instant.answers["generator@10", 0] = FloatingPointError(message)
    results = semi_supervised(settings_of(), tmp_path)
    rows = {row["arm"]: row for row in results["rows"]}
    assert results["choices"]["vat"] == 0.5
    assert math.isnan(rows["generator"]["test_error"]["values"][0])
    assert rows["generator"]["test_error"]["mean"] == 21.0
    assert results["verdict"]["comparisons"][0]["excluded"] == 1


def test_another_experiments_folder_is_refused(instant, tmp_path):
    (tmp_path / "results.json").write_text('{"experiment": "reconstruct"}')
    with pytest.raises(ValueError, match="does not hold a run of `semisupervised`"):
        semi_supervised(settings_of(), tmp_path, resume=True)


def test_methods_need_no_search_where_all_are_fixed(instant, tmp_path):
    methods = ("supervised", "vat_0.1")
    semi_supervised(settings_of(methods), tmp_path)
    assert {key for key, _ in instant.calls} == {"supervised", "vat@0.1"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "isolet"}, "`dataset` must be one of: circles, digits.*'isolet'"),
        ({"methods": ()}, "`methods` is empty"),
        ({"methods": ("vat", "vat")}, "`methods` names one twice"),
        ({"methods": ("mixup",)}, "`methods` must be some of: supervised.*'mixup'"),
        ({"methods": ("supervised_1.0",)}, "fixed, such as vat_0.1.*'supervised_1.0'"),
        ({"methods": ("vat_-1",)}, "`methods` must be some of"),
        ({"labels": 0}, "`labels` must be a whole number, at least 1.*0"),
        ({"updates": 1.5}, "`updates` must be a whole number.*1.5"),
        ({"seeds": None}, "`seeds` must be a whole number.*None"),
        ({"seed": -1}, "`seed` must be a whole number, at least 0.*-1"),
        ({"width": 8}, "`width` is for images in colour.*width=8 for 'circles'"),
        ({"dataset": "cifar10", "width": 0}, "`width` must be a whole number.*0"),
        ({"dropout": 0.1}, "`dropout` is for images in colour.*'circles'"),
        ({"dataset": "cifar10", "dropout": 1.0}, r"`dropout` must be in \[0, 1\).*1"),
        ({"dataset": "mnist", "side": 14}, "`side` is for images in colour.*'mnist'"),
        ({"dataset": "cifar10", "side": 8}, "`side` must be .*at least 12.*8"),
        ({"labelled_batch": 0}, "`labelled_batch` must be a whole number.*0"),
        ({"placement": "odd"}, "`placement` must be one of: even, random.*'odd'"),
        ({"epsilon_grid": (0.1, -1.0)}, "`epsilon_grid` must hold positive numbers"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        SemiSupervisedSettings(**changes)


@pytest.mark.parametrize("labels", [1, 7])
def test_too_few_labels_are_refused_before_anything_is_written(labels, tmp_path):
    settings = SemiSupervisedSettings(labels=labels)
    with pytest.raises(ValueError, match=f"multiple of the 2 classes.*{labels}"):
        semi_supervised(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labelled_points_lie_evenly_and_at_one_angle():
    angles = np.linspace(0, 2 * np.pi, 401)[:-1]
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x, y = np.concatenate([ring, 0.5 * ring]), np.repeat([0, 1], 400)
    rows = evenly_spaced(x, y, 4, seed=3)
    assert y[rows].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(rows[:4], rows[4:] - 400)
    assert sorted(np.diff(np.sort(rows[:4]))) == [100, 100, 100]


def test_circles_have_other_points_to_validate_on():
    split = Bench(SemiSupervisedSettings(placement="random")).split(0)
    assert len(split.x_labelled) == 8
    assert len(split.x_validation) == 1000
    assert not set(map(tuple, split.x_validation)) & set(map(tuple, split.x_test))


def test_svhn_on_mock_data(monkeypatch):
    """No copy of SVHN is at hand: its path, with a narrow network."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 32, 32, 3)).astype("float32"), np.arange(60) % 10
    data = datasets.Dataset(x, y, x[:20], y[:20], name="svhn_cropped")
    monkeypatch.setattr(datasets, "load", lambda *_: data)
    narrow = dataclasses.replace(
        PROTOCOLS["svhn_cropped"],
        classifier=functools.partial(ConvolutionalClassifier, width=2),
        generator=functools.partial(
            AdversarialExampleGenerator.convolutional, width=2, noise_dim=3
        ),
        unlabelled_batch=16,
        pretrain_epochs=1,
    )
    monkeypatch.setitem(PROTOCOLS, "svhn_cropped", narrow)
    settings = SemiSupervisedSettings(
        "svhn_cropped", labels=20, validation=20, updates=2
    )
    model, found = Bench(settings).train(Trial("generator", 0.1), seed=0)
    assert found["updates"] == 10
    assert 0 <= found["test_error"] <= 100
    assert model.predict(x[:3], verbose=0).shape == (3, 10)


@pytest.mark.parametrize("method", ["generator", "mine_uae"])
def test_whitened_images_are_shown_as_images(method, monkeypatch):
    """Lengths are of whitened samples; what is drawn and attacked is in [0, 1]."""
    data = datasets.load("digits")
    white = dataclasses.replace(
        PROTOCOLS["digits"],
        whiten=True,
        generator=functools.partial(
            AdversarialExampleGenerator.residual, hidden_units=(8,), bounds=None
        ),
    )
    monkeypatch.setitem(PROTOCOLS, "digits", white)
    bench = Bench(SemiSupervisedSettings("digits", updates=10))
    split = bench.split(0)
    assert split.x_unlabelled.min() < -1.0
    shown = bench.as_measured(split.x_test)
    np.testing.assert_allclose(shown, data.x_test, atol=1e-3)
    trial = Trial(method, 0.1)
    if method == "mine_uae":
        examples = bench.uaes(trial, seed=0)
        wanted = bench.as_measured(split.x_unlabelled)
        changes = np.abs(bench.as_measured(examples) - wanted)
        assert 0.01 < changes.max() < 0.1 + 1e-3
    else:
        model, numbers = bench.train(trial, seed=0)
        assert 0 <= numbers["test_error"] <= 100
        assert bench.examples(trial, model, split.x_test[:3]).shape == (3, 8, 8, 1)


def test_protocols_name_networks_that_fit_their_data():
    shapes = {"circles": (2,), "digits": (8, 8, 1), "mnist": (28, 28, 1)}
    for name, shape in shapes.items():
        protocol = PROTOCOLS[name]
        classifier = protocol.classifier(shape, 10)
        generator = protocol.generator(shape)
        assert generator.decoder.output_shape == classifier.input_shape


def test_the_slides_are_quoted_for_their_number_of_labels_only():
    def quoted(**changes):
        settings = SemiSupervisedSettings("mnist", **changes)
        return summary._paper(settings, parse_arm("vat"))

    assert quoted() == {"mean": 1.27, "std": 0.11}
    assert quoted(labels=100) is None
    assert quoted(labels=1000) is not None


def test_settings_of_the_circles_are_told_for_circles_alone():
    settings = SemiSupervisedSettings()
    assert {"noise", "factor", "placement"} < set(settings.to_dict())
    other = dataclasses.replace(settings, dataset="mnist")
    assert not {"noise", "factor", "placement"} & set(other.to_dict())


def test_width_and_dropout_are_those_of_the_convolutional_classifier():
    settings = SemiSupervisedSettings("cifar10", width=8, dropout=0.0)
    classifier = settings.protocol.classifier((32, 32, 3), 10)
    assert isinstance(classifier, ConvolutionalClassifier)
    assert (classifier.width, classifier.dropout) == (8, 0.0)


def test_the_report_says_how_far_colour_images_were_reduced():
    settings = SemiSupervisedSettings("cifar10", side=16, width=4, dropout=0.25)
    note = next(n for n in summary.notes(settings, {}, {}) if "13-layer" in n)
    assert note.startswith("Images of 16 x 16 pixels, ZCA-whitened: lengths")
    assert "begins with 4 filters and drops out 0.25" in note


def test_batches_have_the_sizes_that_were_asked_for():
    settings = SemiSupervisedSettings(labelled_batch=4, unlabelled_batch=16, updates=10)
    bench = Bench(settings)
    assert bench.protocol.labelled_batch == 4
    assert bench.protocol.unlabelled_batch == 16


def test_a_run_does_not_go_on_under_another_protocol(instant, tmp_path, monkeypatch):
    settings = settings_of(("supervised", "generator_0.5"))
    semi_supervised(settings, tmp_path)
    protocol = PROTOCOLS[settings.dataset]
    other = dataclasses.replace(protocol, stop_gradient=not protocol.stop_gradient)
    monkeypatch.setitem(PROTOCOLS, settings.dataset, other)
    with pytest.raises(ValueError, match="stop_gradient: saved"):
        semi_supervised(settings, tmp_path, resume=True)


def test_a_generator_of_a_fixed_setting_is_shown_too(tmp_path):
    settings = SemiSupervisedSettings(
        "digits", methods=("supervised", "generator_0.5"), samples=400, **ONE_SEED
    )
    semi_supervised(settings, tmp_path)
    assert (tmp_path / "figures" / "generated.png").exists()


def test_fixed_settings_alone_have_no_verdict_and_another_title(tmp_path, instant):
    settings = settings_of(("supervised", "vat_0.5"), seeds=1, choice_seeds=1)
    results = semi_supervised(settings, tmp_path)
    assert results["verdict"] is None
    page = render_report(results, {})
    assert f"<title>Few labels: {settings.dataset}" in page
    assert "No verdict: the arm that it is about was not run." in page
    assert "mine_uae help" not in page


@pytest.mark.slow
def test_on_images_the_game_drifts_unless_both_predictions_move():
    """An autoencoder as generator: docs/RESULTS.md, "Few labels"."""
    settings = SemiSupervisedSettings("digits", seeds=1)
    errors = {}
    for is_fixed in (True, False):
        bench = Bench(settings)
        bench.protocol = dataclasses.replace(
            bench.protocol,
            generator=functools.partial(
                AdversarialExampleGenerator.dense,
                hidden_units=(100,),
                output_activation="sigmoid",
            ),
            roles="anchored",
            tolerance=0.0,
            stop_gradient=is_fixed,
            pretrain_epochs=10,
        )
        errors[is_fixed] = bench.train(Trial("generator", 1.0), seed=100)[1]
    alone = Bench(settings).train(Trial("supervised", None), seed=100)[1]
    assert errors[True]["test_error"] > 1.5 * alone["test_error"]
    assert errors[False]["test_error"] < alone["test_error"]


@pytest.mark.slow
def test_a_tolerance_keeps_the_game_alive_on_images():
    """Without one the changes die out: docs/RESULTS.md, "Few labels"."""
    errors = {}
    for tolerance in (0.0, 0.15):
        bench = Bench(SemiSupervisedSettings("digits"))
        bench.protocol = dataclasses.replace(bench.protocol, tolerance=tolerance)
        found = [bench.train(Trial("generator", 1.0), seed)[1] for seed in (100, 101)]
        errors[tolerance] = sum(numbers["test_error"] for numbers in found)
    assert errors[0.15] < errors[0.0]
