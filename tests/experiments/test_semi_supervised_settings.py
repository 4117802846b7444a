import dataclasses
import functools
import math

import numpy as np
import pytest

from uae_tf import datasets
from uae_tf.experiments.semi_supervised import (
    SemiSupervisedSettings,
    semi_supervised,
    summary,
)
from uae_tf.experiments.semi_supervised.arms import Trial, parse_arm
from uae_tf.experiments.semi_supervised.bench import Bench, evenly_spaced
from uae_tf.experiments.semi_supervised.protocols import PROTOCOLS
from uae_tf.models import AdversarialExampleGenerator, ConvolutionalClassifier


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
        ({"epsilon_grid": (1.0, 1.0)}, "`epsilon_grid` must hold numbers that differ"),
        ({"lambda_grid": (0.1, 0.1 + 1e-8)}, "`lambda_grid` must hold .* differ in"),
        ({"methods": ("vat_0.1", "vat_0.10")}, "`methods` names one twice"),
        ({"noise": -1.0}, "`noise` must be at least 0.*-1"),
        ({"noise": math.nan}, "`noise` must be at least 0.*nan"),
        ({"factor": 2.0}, r"`factor` must be in \(0, 1\).*2"),
        ({"validation": 2001}, "`validation` must be at most 2000 for the circles"),
        ({"dataset": "digits", "validation": 0}, "`validation` must .* at least 1.*0"),
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
    other = Bench(SemiSupervisedSettings(placement="random")).split(1)
    assert not set(map(tuple, split.x_validation)) & set(map(tuple, other.x_validation))


def test_settings_are_chosen_on_samples_that_are_not_the_test_s():
    bench = Bench(SemiSupervisedSettings(updates=1, unlabelled_batch=16))
    split = bench.split(0)
    # The test points, each with the other label.
    bench._splits[0] = dataclasses.replace(
        split, x_validation=split.x_test, y_validation=1 - split.y_test
    )
    _, found = bench.train(Trial("supervised", None), 0)
    assert found["validation_error"] == pytest.approx(100.0 - found["test_error"])


def test_the_lowest_mean_validation_error_is_chosen():
    settings = SemiSupervisedSettings(
        methods=("vat",), epsilon_grid=(0.1, 0.2), choice_seeds=2, seeds=3
    )
    # By the first seed alone, by the test error, and with the third: the other one.
    errors = {"vat@0.1": (1.0, 6.0, 0.0), "vat@0.2": (2.0, 3.0, 9.0)}
    runs = {
        key: {
            str(seed): {"validation_error": error, "test_error": 100.0 - error}
            for seed, error in enumerate(values)
        }
        for key, values in errors.items()
    }
    assert summary.validation_errors(settings, runs, "vat") == {0.1: 3.5, 0.2: 2.5}
    assert summary.choose(settings, runs, ["vat"]) == {"vat": 0.2}


def model_of(method, value, **settings):
    bench = Bench(SemiSupervisedSettings(updates=10, **settings))
    return bench, bench._model(Trial(method, value), bench.split(0), 0)


@pytest.mark.parametrize(
    ("method", "weight", "iterations", "has_entropy"),
    [
        ("supervised", 0.0, None, False),
        ("mine_uae", 1.0, None, False),
        ("random", 1.0, 0, False),
        ("vat", 1.0, 1, False),
        ("vat_entmin", 1.0, 1, True),
    ],
)
def test_a_method_is_what_its_name_says(method, weight, iterations, has_entropy):
    bench, model = model_of(method, 0.3)
    assert model.weight == weight
    assert model.entropy_minimization == has_entropy
    assert getattr(model, "power_iterations", None) == iterations
    assert getattr(model, "epsilon", 0.3) == 0.3
    # A linear fall over the second half of the updates.
    rate, found = bench.protocol.learning_rate, model.optimizer._learning_rate
    assert [float(found(n)) for n in (0, 5, 10)] == pytest.approx([rate, rate, 0.0])


def test_random_steps_are_not_those_of_vat():
    bench, model = model_of("vat", 0.3)
    x = bench.split(0).x_unlabelled[:20]
    found = [bench.examples(Trial(m, 0.3), model, x) for m in ("random", "vat")]
    for examples in found:
        lengths = np.linalg.norm(examples - x, axis=1)
        np.testing.assert_allclose(lengths, 0.3, rtol=1e-4)
    steps = [(examples - x) / 0.3 for examples in found]
    assert np.abs(np.sum(steps[0] * steps[1], axis=1)).min() < 0.9


@pytest.mark.parametrize("method", ["generator", "bounded_generator"])
def test_the_game_is_that_of_the_protocol(method, monkeypatch):
    trained = []

    def pretrain(self, x, epochs, verbose):
        trained.append((len(x), epochs))

    monkeypatch.setattr(AdversarialExampleGenerator, "pretrain", pretrain)
    bench, model = model_of(method, 7.0)
    of_slides = method == "generator"
    assert (model.roles, model.stop_gradient) == (
        ("anchored", bench.protocol.stop_gradient) if of_slides else ("joint", True)
    )
    assert model.lambda_ == (7.0 if of_slides else 1.0)
    assert trained == [(1500, bench.protocol.pretrain_epochs)] * of_slides
    rate = float(model.generator_optimizer.learning_rate)
    assert rate == pytest.approx(bench.protocol.generator_rate)


def test_the_best_error_of_the_circles_is_told():
    found = summary.notes(SemiSupervisedSettings(noise=0.06, factor=0.8), {}, {})
    assert any("errs on about 4.78 %" in note for note in found)


def test_uaes_of_a_size_do_not_depend_on_those_before():
    """One autoencoder serves all sizes of a seed."""
    settings = SemiSupervisedSettings("digits", samples=300, updates=10)
    both, alone = Bench(settings), Bench(settings)
    both.uaes(Trial("mine_uae", 0.2), seed=0)
    found = both.uaes(Trial("mine_uae", 0.5), seed=0)
    np.testing.assert_array_equal(found, alone.uaes(Trial("mine_uae", 0.5), seed=0))


@pytest.mark.slow
def test_svhn_on_mock_data(monkeypatch):
    """No copy of SVHN is at hand: its path, with a narrow network."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 32, 32, 3)).astype("float32"), np.arange(60) % 10
    data = datasets.Dataset(x, y, x[:20], y[:20], name="svhn_cropped")
    monkeypatch.setattr(datasets, "load", lambda *_: data)
    narrow = dataclasses.replace(
        PROTOCOLS["svhn_cropped"],
        classifier=functools.partial(ConvolutionalClassifier, width=2),
        bounded=functools.partial(
            AdversarialExampleGenerator.bounded_unet, width=2, noise_dim=3
        ),
        unlabelled_batch=16,
    )
    monkeypatch.setitem(PROTOCOLS, "svhn_cropped", narrow)
    settings = SemiSupervisedSettings(
        "svhn_cropped", labels=20, validation=20, updates=2
    )
    model, found = Bench(settings).train(Trial("bounded_generator", 0.1), seed=0)
    assert found["updates"] == 2
    assert 0 <= found["test_error"] <= 100
    assert model.predict(x[:3], verbose=0).shape == (3, 10)


@pytest.mark.parametrize("method", ["bounded_generator", "mine_uae"])
def test_whitened_images_are_shown_as_images(method, monkeypatch):
    """Lengths are of whitened samples; what is drawn and attacked is in [0, 1]."""
    data = datasets.load("digits")
    white = dataclasses.replace(PROTOCOLS["digits"], whiten=True)
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
        for generator in (protocol.generator(shape), protocol.bounded(shape, 1.0)):
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


@pytest.mark.parametrize("updates", [1, 11, 15])
def test_as_many_updates_are_made_as_were_asked_for(updates):
    settings = SemiSupervisedSettings(updates=updates, unlabelled_batch=16)
    told = []
    model, found = Bench(settings).train(
        Trial("supervised", None), 0, lambda *counts: told.append(counts)
    )
    assert int(model.optimizer.iterations) == found["updates"] == updates
    assert told[-1] == (updates, updates)


def test_batches_have_the_sizes_that_were_asked_for():
    settings = SemiSupervisedSettings(labelled_batch=4, unlabelled_batch=16, updates=10)
    bench = Bench(settings)
    assert bench.protocol.labelled_batch == 4
    assert bench.protocol.unlabelled_batch == 16
