import dataclasses
import functools
import html
import io
import json
import math

import keras
import numpy as np
import pytest
from rich.console import Console

from uae_tf.experiments import resumable_run
from uae_tf.experiments.report import render_report, write_report
from uae_tf.experiments.semi_supervised import (
    SemiSupervisedSettings,
    semi_supervised,
    semi_supervised_circles,
    trial_worker,
)
from uae_tf.experiments.semi_supervised.arms import METHODS, Trial
from uae_tf.experiments.semi_supervised.bench import Bench
from uae_tf.experiments.semi_supervised.pictures import Pictures
from uae_tf.experiments.semi_supervised.protocols import PROTOCOLS
from uae_tf.experiments.storage import read_json
from uae_tf.experiments.verdict import verdict
from uae_tf.models import AdversarialExampleGenerator, DenseClassifier

TINY = {"updates": 10, "seeds": 2, "choice_seeds": 1}
ONE_SEED = {**TINY, "seeds": 1}
GRIDS = {"epsilon_grid": (0.05, 0.5), "lambda_grid": (10.0,)}


@pytest.fixture(scope="module", autouse=True)
def small_networks():
    """Half of a training this short is tracing, and more the more layers there are."""
    small = dataclasses.replace(
        PROTOCOLS["digits"],
        classifier=functools.partial(
            DenseClassifier, hidden_units=(30,), normalization=False
        ),
        bounded=functools.partial(
            AdversarialExampleGenerator.bounded_dense, hidden_units=(30,)
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, "digits", small)
        yield


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
    for arm in ("vat", "vat_entmin"):
        assert rows[arm]["setting"] == chosen
        assert len(runs[f"{arm}@{chosen:g}"]) == 1
    assert rows["supervised"]["setting"] is None
    assert rows["generator"]["setting"] == 10.0
    bounded = [name for name in rows if name.startswith("bounded")]
    (length,) = {rows[name]["setting"] for name in bounded}
    assert length in (0.05, 0.5)
    trials = [runs[f"{name}@{length:g}"]["0"] for name in bounded]
    assert "entropy" not in trials[0]
    assert trials[1]["entropy"] > 0
    assert any(f"epsilon {chosen:g} had the lowest" in n for n in results["notes"])
    assert set(results["sensitivity"]["vat"]) == {"0.05", "0.5"}


def test_random_steps_choose_a_length_of_their_own(digits_run):
    """Along a random direction a prediction moves little: VAT's length says nothing."""
    results, _ = digits_run
    lengths = PROTOCOLS["digits"].random_epsilons
    assert min(lengths) > min(PROTOCOLS["digits"].epsilons)
    runs = results["runs"]
    errors = {e: runs[f"random@{e:g}"]["0"]["validation_error"] for e in lengths}
    assert results["choices"]["random"] == min(errors, key=errors.get)
    assert list(results["sensitivity"]["random"]) == [f"{e:g}" for e in lengths]


def test_rows_and_verdict_follow_from_the_trainings(digits_run):
    results, _ = digits_run
    values = {}
    for row in results["rows"]:
        setting = row["setting"]
        key = row["arm"] if setting is None else f"{row['arm']}@{setting:g}"
        entries = results["runs"][key]
        values[row["arm"]] = [entries["0"]["test_error"]]
        assert row["test_error"]["values"] == values[row["arm"]]
    controls = [name for name in values if not name.startswith("bounded")]
    expected = verdict(values, "bounded_generator", controls)
    assert results["verdict"] == expected.to_dict()


def test_lengths_of_changes(digits_run):
    rows = {row["arm"]: row for row in digits_run[0]["rows"]}
    assert rows["supervised"]["l2"] is None
    for arm in ("vat", "random", "vat_entmin", "bounded_generator"):
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
    bench = Bench(settings)
    bench.train(Trial("vat", 0.5), seed=1)
    # With the step that seed 1 has compiled.
    _, again = bench.train(Trial("vat", 0.5), seed=0)
    assert numbers(again) == numbers(results["runs"]["vat@0.5"]["0"])


@pytest.mark.slow
def test_a_generator_pretrained_once_is_that_of_every_lambda(digits_run, monkeypatch):
    results, _ = digits_run
    bench = Bench(SemiSupervisedSettings("digits", samples=400, **ONE_SEED, **GRIDS))
    bench.train(Trial("generator", 10.0), seed=1)
    bench.train(Trial("generator", 1.0), seed=0)
    monkeypatch.delattr(AdversarialExampleGenerator, "pretrain")
    _, again = bench.train(Trial("generator", 10.0), seed=0)
    assert numbers(again) == numbers(results["runs"]["generator@10"]["0"])


@pytest.mark.slow
def test_circles_at_two_noises_and_their_picture(tmp_path):
    settings = SemiSupervisedSettings(
        methods=("supervised", "vat_0.1"), updates=10, seeds=1
    )
    log = io.StringIO()
    console = Console(file=log)
    found = semi_supervised_circles(settings, (0.01, 0.06), tmp_path, console=console)
    first, second = log.getvalue().split("Two circles, noise 0.06 (set 2 of 2)\n")
    assert first.startswith(
        "Two circles, noise 0.01 (set 1 of 2)\n1 of 2 jobs done (seed 0: sup"
    )
    assert second.startswith("1 of 2 jobs done (seed 0: supervised) after")
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
    monkeypatch.setattr(trial_worker, "drawn_from", lambda *_: {})
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
    assert any("tried (0.05: diverged, 0.5: " in note for note in results["notes"])
    assert math.isnan(rows["generator"]["test_error"]["values"][0])
    assert rows["generator"]["test_error"]["mean"] == 21.0
    assert results["verdict"]["comparisons"][0]["excluded"] == 1


def test_where_every_training_diverged_there_is_a_report_without_figures(
    instant, tmp_path, monkeypatch
):
    monkeypatch.setattr(resumable_run, "write_report", write_report)
    settings = settings_of(("supervised", "vat"), seeds=1)
    for key in ("supervised", "vat@0.05", "vat@0.5"):
        instant.answers[key, 0] = FloatingPointError("not finite")
    assert semi_supervised(settings, tmp_path)["complete"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not finite" in page
    assert "vat: epsilon 0.05 was not chosen but comes first: with each of 2" in page
    assert "inf %" not in page
    assert "lowest mean error" not in page
    assert not list(tmp_path.glob("figures/*.png"))


def test_ctrl_c_after_the_arrays_of_a_job_leaves_it_out_of_the_picture(tmp_path):
    """They are written before its numbers."""
    settings = settings_of(("supervised", "vat_0.1"))
    pictures = Pictures(tmp_path / "figures.npz")
    pictures.add({f"points/{n}": np.zeros(2) for n in ("unlabelled", "labelled")})
    pictures.add({"points/labels": np.zeros(1)})
    for key in ("supervised", "vat@0.1"):
        pictures.add({f"boundary/{key}": np.zeros((2, 2))})
    results = {"choices": {}, "runs": {"supervised": {"0": {"test_error": 1.0}}}}
    assert list(pictures.panels(results, settings)) == ["supervised"]


def test_another_experiments_folder_is_refused(instant, tmp_path):
    (tmp_path / "results.json").write_text('{"experiment": "reconstruct"}')
    with pytest.raises(ValueError, match="does not hold a run of `semisupervised`"):
        semi_supervised(settings_of(), tmp_path, resume=True)


def test_methods_need_no_search_where_all_are_fixed(instant, tmp_path):
    methods = ("supervised", "vat_0.1")
    semi_supervised(settings_of(methods), tmp_path)
    assert {key for key, _ in instant.calls} == {"supervised", "vat@0.1"}


def test_a_wrong_second_noise_shows_before_the_first_is_trained(instant, tmp_path):
    settings = settings_of(("supervised", "vat_0.1"))
    with pytest.raises(ValueError, match=r"`noise` must be at least 0.*-1"):
        semi_supervised_circles(settings, (0.01, -1.0), tmp_path)
    with pytest.raises(ValueError, match="one or more different numbers"):
        semi_supervised_circles(settings, (0.06, 0.06 + 1e-9), tmp_path)
    assert not instant.calls
    semi_supervised_circles(settings, (0.01,), tmp_path)
    instant.answers["vat@0.1", 1] = KeyboardInterrupt()
    semi_supervised_circles(settings, (0.06,), tmp_path)
    instant.calls.clear()
    with pytest.raises(ValueError, match=r"0\.06.*unfinished run.*--resume"):
        semi_supervised_circles(settings, (0.01, 0.06), tmp_path)
    assert not instant.calls
    instant.answers.clear()
    found = semi_supervised_circles(settings, (0.01, 0.06), tmp_path, resume=True)
    assert instant.calls == [("vat@0.1", 1)]
    assert all(results["complete"] for results in found.values())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"stop_gradient": False}, "stop_gradient"),
        ({"unlabelled_batch": 99}, "unlabelled_batch"),
        ({"whiten": True}, "whiten"),
        ({"epsilons": (0.7,)}, "epsilon_grid"),
        ({"random_epsilons": (0.7,)}, "random_grid"),
        ({"lambdas": (0.7,)}, "lambda_grid"),
    ],
)
def test_a_run_does_not_go_on_under_another_protocol(
    instant, tmp_path, monkeypatch, changes, name
):
    methods = ("supervised", "generator_0.5")
    settings = settings_of(methods, epsilon_grid=(), lambda_grid=())
    semi_supervised(settings, tmp_path)
    other = dataclasses.replace(PROTOCOLS[settings.dataset], **changes)
    monkeypatch.setitem(PROTOCOLS, settings.dataset, other)
    with pytest.raises(ValueError, match=f"{name}: saved"):
        semi_supervised(settings, tmp_path, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["generator_0.5", "bounded_generator_0.5"])
def test_a_generator_of_a_fixed_setting_is_shown_too(tmp_path, arm):
    settings = SemiSupervisedSettings(
        "digits", methods=("supervised", arm), samples=400, **ONE_SEED
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


def test_a_candidate_of_a_fixed_setting_is_held_against_all_others(tmp_path, instant):
    arms = ("supervised", "vat_1", "vat_entmin_0.5", "generator_10")
    results = semi_supervised(settings_of(arms, seeds=2), tmp_path)
    found = results["verdict"]
    assert found["candidate"] == "generator_10"
    assert [c["control"] for c in found["comparisons"]] == list(arms[:-1])
    assert any("the verdict is about these settings" in n for n in results["notes"])
    # Two settings of the candidate: which of them would the verdict be about?
    two = settings_of((*arms, "generator_1"), seeds=2)
    assert semi_supervised(two, tmp_path, resume=True)["verdict"] is None


@pytest.mark.slow
def test_a_change_that_tells_the_class_lets_the_game_drift():
    """A change of either sign does not: docs/RESULTS.md, "Few labels"."""
    settings = SemiSupervisedSettings("digits", seeds=1)
    alone = Bench(settings).train(Trial("supervised", None), seed=100)[1]
    found = Bench(settings).train(Trial("bounded_generator", 0.3), seed=100)[1]
    assert found["test_error"] < 0.8 * alone["test_error"]

    def of_one_sign(shape, epsilon):
        generator = AdversarialExampleGenerator.bounded_dense(shape, epsilon)
        inputs = generator.decoder.inputs
        ones = keras.ops.ones_like(inputs[1])
        decoder = keras.Model(inputs, generator.decoder([inputs[0], ones]))
        return AdversarialExampleGenerator(generator.encoder, decoder)

    bench = Bench(settings)
    bench.protocol = dataclasses.replace(bench.protocol, bounded=of_one_sign)
    drifted = bench.train(Trial("bounded_generator", 0.3), seed=100)[1]
    assert drifted["test_error"] > 1.5 * alone["test_error"]
