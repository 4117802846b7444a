"""Which attacks the supervised tables run, and what they make of their numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from uae_tf import UntargetedMargin
from uae_tf.experiments.supervised import (
    SupervisedSettings,
    epsilon_sweep,
    quality,
    robust_training,
)
from uae_tf.experiments.supervised.bench import load_classifier
from uae_tf.experiments.supervised.epsilon_sweep import EpsilonSweep
from uae_tf.experiments.supervised.minmax_penalty import MinMaxPenalty
from uae_tf.experiments.supervised.quality import Quality
from uae_tf.experiments.supervised.robust import ATTACKS, Robust
from uae_tf.experiments.supervised.robust_training import train_robust
from uae_tf.experiments.supervised.table import attack_row, over_images

X, Y = np.full((3, 8, 8, 1), 0.5, np.float32), np.arange(3)


@pytest.fixture
def stub_bench(classifier):
    """Data and a model, and nothing to measure."""
    model = load_classifier(classifier)
    return SimpleNamespace(
        classifier=lambda: model, images=lambda _: (X, Y), measure=lambda *_, **__: {}
    )


@pytest.fixture
def attacks(monkeypatch):
    """The attacks that tables ask for, which are not run."""
    asked = []

    def run_attack(attack, x, *_):
        asked.append(attack)
        return SimpleNamespace(examples=x), 1.0

    for table in (epsilon_sweep, quality):
        monkeypatch.setattr(table, "run_attack", run_attack)
    return asked


def test_the_sweep_attacks_within_each_bound(stub_bench, attacks):
    settings = SupervisedSettings(table="epsilon-sweep", epsilons=(0.1, 0.2))
    for job in EpsilonSweep(settings, stub_bench).jobs().values():
        job(None)
    assert [attack.epsilon for attack in attacks] == [0.1, 0.1, 0.2, 0.2]


def test_the_quality_of_each_kind_of_views_has_other_seeds(
    stub_bench, attacks, monkeypatch
):
    monkeypatch.setattr(Quality, "_distances", lambda *_: {})
    settings = SupervisedSettings(table="quality", runs=2, seed=5)
    for name, job in Quality(settings, stub_bench).jobs().items():
        if "/" in name:
            job(None)
    assert [(a.similarity.views, a.seed) for a in attacks] == [
        ("compressive", 5),
        ("convolution", 5),
        ("compressive", 6),
        ("convolution", 6),
    ]


def test_a_robust_classifier_meets_more_than_it_was_trained_on(classifier):
    criterion = UntargetedMargin(load_classifier(classifier))
    table = Robust(SupervisedSettings(table="robust", epsilon=0.8), None)
    found = {name: table._made(name, criterion) for name in ATTACKS}
    assert [attack.epsilon for attack in found.values()] == [0.3, 0.3, 0.3, 0.8]
    fgsm, pgd = found["fgsm"], found["pgd"]
    assert (fgsm.steps, fgsm.step_size, fgsm.random_start) == (1, 0.3, False)
    assert (pgd.steps, pgd.step_size, pgd.restarts) == (40, 0.01, 5)


def test_what_withstands_is_what_no_attack_succeeds_on():
    row = {"attack": "pgd", "target": "plain", "error_rate": 0.02, "success_rate": 0.9}
    (found,) = Robust(SupervisedSettings(table="robust"), None).findings([row], {})
    assert "right on 98.0% of all test images, and on 10.0% of those attacked" in found


def test_methods_are_compared_on_images_that_both_succeed_on():
    numbers = {
        "minmax": ([1, 1, 1, 0], [3.0, 4.0, 5.0, -100.0]),
        "penalty": ([1, 1, 1, 1, 1], [1.0, 2.0, 3.1, 0.0, 0.0]),
    }
    arrays = {}
    for method, (success, values) in numbers.items():
        arrays[f"{method}/0/success"] = np.array(success, bool)
        for name in ("similarity", "l2", "ssim"):
            arrays[f"{method}/0/{name}"] = np.array(values)
    told = " ".join(MinMaxPenalty(SupervisedSettings(), None).findings([], arrays))
    assert "On 4 images" in told
    assert "minmax succeeds on 75.0% and penalty succeeds on 100.0%" in told
    assert "minmax is above penalty, by +1.967 nats" in told
    assert "minmax has SSIM 4.000 and L2 4.00" in told


def test_rows_tell_of_the_images_that_an_attack_succeeded_on():
    found = {"success": np.array([1, 0, 1]), "l2": np.array([1.0, 100.0, 3.0])}
    row = attack_row("pgd", found)
    assert row["success_rate"] == pytest.approx(2 / 3)
    assert row["l2"] == {"mean": 2.0, "std": pytest.approx(2.0**0.5)}
    assert over_images(np.array([4.0, np.nan])) == {"mean": 4.0, "std": None}
    assert over_images(np.array([np.inf])) is None


def test_robust_training_keeps_attempts_that_failed(monkeypatch):
    def callback(data, attack, **settings):
        assert settings["failed"] == "attempt"
        assert (settings["phase_epochs"], settings["warmup_epochs"]) == (1, 0)
        assert (attack.epsilon, attack.steps, attack.step_size) == (0.2, 3, 0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(robust_training, "UAECallback", callback)
    with pytest.raises(KeyboardInterrupt):
        train_robust(X, Y, steps=3, epsilon=0.2, step_size=0.05)
