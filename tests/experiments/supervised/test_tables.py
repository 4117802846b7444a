"""The supervised tables: their numbers, resumption, and what they refuse."""

import dataclasses
import html
import json
import shutil

import numpy as np
import pytest
from rich.console import Console

from uae_tf import PenaltyAttack
from uae_tf.experiments.storage import read_json, write_json
from uae_tf.experiments.supervised import (
    SupervisedSettings,
    robust,
    supervised,
)
from uae_tf.experiments.supervised.bench import Bench, load_classifier
from uae_tf.experiments.supervised.epsilon_sweep import EpsilonSweep
from uae_tf.experiments.supervised.experiment import _TABLES, _Experiment
from uae_tf.experiments.supervised.minmax_penalty import (
    MinMaxPenalty,
    _compared,
    _so_far,
)
from uae_tf.experiments.supervised.quality import CEILING, FLOOR, VIEWS, Quality
from uae_tf.experiments.supervised.settings import TABLES


@pytest.fixture(scope="module")
def settings(classifier):
    return SupervisedSettings(
        dataset="digits", classifier=classifier, samples=12, steps=60, search_steps=6
    )


@pytest.fixture(scope="module")
def comparison(settings, tmp_path_factory):
    """Table 3 in two chunks, as returned, and the folder."""
    out = tmp_path_factory.mktemp("supervised") / "run"
    return supervised(dataclasses.replace(settings, chunk=6), out), out


def row_of(results, name):
    return next(row for row in results["rows"] if row["arm"] == name)


def test_both_methods_have_equal_iterations_and_their_rows(comparison):
    results, out = comparison
    assert results["complete"]
    assert read_json(out / "results.json") == json.loads(json.dumps(results))
    assert set(results["runs"]) == {"minmax/0", "penalty/0", "minmax/6", "penalty/6"}
    for name in ("minmax", "penalty"):
        row = row_of(results, name)
        assert (row["images"], row["iterations"]) == (12, 60)
        assert row["success_rate"] > 0.5
        assert row["mi_all"]["mean"] <= np.log(6) + 1e-5


def test_numbers_are_recomputed_from_the_examples(comparison, settings, classifier):
    results, out = comparison
    arrays = np.load(out / "images.npz")
    model = load_classifier(classifier)
    x, y = Bench(settings, out).images(model)
    assert np.all(model.predict(x, verbose=0).argmax(axis=1) == y)
    examples = arrays["minmax/0/shown_examples"]
    predicted = model.predict(examples, verbose=0).argmax(axis=1)
    success = arrays["minmax/0/success"]
    np.testing.assert_array_equal(success, predicted != y[:6])
    lengths = np.linalg.norm((examples - x[:6]).reshape(6, -1), axis=1)
    np.testing.assert_allclose(arrays["minmax/0/l2"], lengths, rtol=1e-4)
    parts = [arrays[f"minmax/{i}/similarity"] for i in (0, 6)]
    won = np.concatenate([arrays[f"minmax/{i}/success"] for i in (0, 6)])
    mean = np.concatenate(parts)[won].mean()
    assert row_of(results, "minmax")["similarity"]["mean"] == pytest.approx(mean)


def test_the_last_point_of_a_trace_is_the_result(comparison):
    _, out = comparison
    arrays = np.load(out / "images.npz")
    for job in ("minmax/0", "penalty/6"):
        success = arrays[f"{job}/success"]
        np.testing.assert_array_equal(arrays[f"{job}/trace_success"][-1], success)
        last = arrays[f"{job}/trace_similarity"][-1]
        similarity = arrays[f"{job}/similarity"]
        np.testing.assert_allclose(last[success], similarity[success], rtol=1e-6)


def test_starts_of_descents_are_no_candidates():
    # Two descents of two iterations: rows 0 and 3 are starts.
    # A margin of 0 is a success.
    f = np.array([[-1.0], [1.0], [0.0], [-1.0], [-1.0], [1.0]])
    similarity = np.array([[9.0], [8.0], [1.0], [9.0], [3.0], [8.0]])
    points, found = _so_far({"criterion": f, "similarity": similarity}, descents=2)
    np.testing.assert_array_equal(points, [1, 2, 3, 4])
    np.testing.assert_array_equal(found["trace_success"][:, 0], [0, 1, 1, 1])
    np.testing.assert_array_equal(found["trace_similarity"][1:, 0], [1.0, 3.0, 3.0])
    assert np.isnan(found["trace_similarity"][0, 0])


def test_the_compared_attacks_differ_in_the_multiplier_alone(settings, tmp_path):
    table = MinMaxPenalty(settings, Bench(settings, tmp_path))
    first, second = (table.attack(name).get_config() for name in ("minmax", "penalty"))
    assert isinstance(table.attack("penalty"), PenaltyAttack)
    assert second["steps"] * second["search_steps"] == first["steps"] == 60
    both = (set(first) & set(second)) - {"steps", "initial_multiplier"}
    assert {k: first[k] for k in both} == {k: second[k] for k in both}


def test_an_interrupted_run_goes_on_to_the_same_numbers(
    comparison, settings, tmp_path, no_critics
):
    whole, out = comparison
    settings = dataclasses.replace(settings, chunk=6)
    # What an interruption in the last job leaves behind.
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    saved = read_json(out / "results.json")
    del saved["runs"]["penalty/6"]
    write_json(tmp_path / "results.json", saved | {"complete": False})
    with pytest.raises(ValueError, match=r"unfinished run.*--resume"):
        supervised(settings, tmp_path)
    with pytest.raises(ValueError, match="steps: saved 60, requested 66"):
        supervised(dataclasses.replace(settings, steps=66), tmp_path, resume=True)
    resumed = supervised(settings, tmp_path, resume=True)
    assert resumed["complete"]
    for name in ("minmax", "penalty"):
        found, expected = (row_of(r, name)["similarity"] for r in (resumed, whole))
        assert found["mean"] == pytest.approx(expected["mean"], rel=1e-5)
    assert resumed["runs"]["minmax/0"] == whole["runs"]["minmax/0"]


def test_jobs_without_their_arrays_run_again(comparison, settings, tmp_path):
    _, out = comparison
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    arrays = tmp_path / "images.npz"
    arrays.write_bytes(b"no arrays")
    chosen = dataclasses.replace(settings, chunk=6)
    with pytest.raises(ValueError, match=r"images\.npz is damaged .*made anew"):
        _Experiment(chosen, tmp_path, True, Console(quiet=True))
    arrays.unlink()
    run = _Experiment(chosen, tmp_path, True, Console(quiet=True))
    assert run.is_resumed
    assert run.runs == {}


def test_figures_are_of_jobs_that_are_done(comparison, settings, tmp_path):
    """Arrays are written first: an interruption may leave them alone."""
    results, out = comparison
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    chosen = dataclasses.replace(settings, chunk=6)
    run = _Experiment(chosen, tmp_path, True, Console(quiet=True))
    seen = []
    run.table.figures = lambda rows, arrays: seen.append(arrays)
    del run.runs["penalty/6"]
    run.figures(results)
    assert not [key for key in seen[0] if key.startswith("penalty/6/")]
    assert "penalty/0/success" in seen[0]


def test_ctrl_c_leaves_results_and_a_report(settings, tmp_path, monkeypatch):
    def stopped(self, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MinMaxPenalty, "_attack", stopped)
    results = supervised(settings, tmp_path)
    assert not results["complete"]
    assert read_json(tmp_path / "results.json")["runs"] == {}
    assert "not finished" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_report_says_what_the_numbers_mean(comparison):
    results, out = comparison
    page = html.unescape((out / "report.html").read_text(encoding="utf-8"))
    assert "All attacks" in page
    assert "No verdict yet" not in page
    assert results["findings"][0] in page.replace("\N{NO-BREAK SPACE}%", "%")
    assert f"ln 6 = {np.log(6):.2f}" in page
    assert "28 and 51 nats" in page
    pictures = {path.stem for path in (out / "figures").glob("*.png")}
    assert pictures == {"search", "attacked"}


@pytest.mark.slow
def test_the_sweep_has_a_row_for_each_bound_and_attack(settings, tmp_path, no_critics):
    chosen = dataclasses.replace(
        settings, table="epsilon-sweep", epsilons=(0.02, 1.0), steps=10, samples=8
    )
    results = supervised(chosen, tmp_path)
    rows = {row["arm"]: row for row in results["rows"]}
    assert list(rows) == [
        f"{method}, ε = {epsilon}" for epsilon in ("0.02", "1") for method in METHODS
    ]
    for name, row in rows.items():
        if row["linf"]:
            assert row["linf"]["mean"] <= row["epsilon"] + 1e-6, name
    assert rows["pgd, ε = 1"]["success_rate"] == 1.0
    assert rows["pgd, ε = 0.02"]["success_rate"] < 0.5
    assert "pgd succeeds on every image from ε = 1 on." in results["findings"]
    assert (tmp_path / "figures" / "sweep.png").exists()


METHODS = ("minmax", "pgd")


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((1.0, 0.9, 1.0), "on every image from ε = 0.3 on."),
        ((0.9, 1.0, 1.0), "on every image from ε = 0.2 on."),
        ((1.0, 1.0, 0.9), "at ε = 0.1, 0.2, but not at the largest bound tried."),
        ((0.9, 0.9, 0.9), "on every image at no bound tried."),
    ],
)
def test_success_from_a_bound_on_is_success_at_all_larger_ones(rates, words):
    chosen = SupervisedSettings(table="epsilon-sweep", epsilons=(0.3, 0.3, 0.1, 0.2))
    assert chosen.epsilons == (0.1, 0.2, 0.3)
    rows = [
        {"method": "pgd", "epsilon": e, "success_rate": rate, "l2": {"mean": e}}
        for e, rate in zip(chosen.epsilons, rates, strict=True)
    ]
    first, second = EpsilonSweep(chosen, None).findings(rows[::-1], {})
    assert words in first
    assert second == "At ε = 0.3 the mean L2 length of δ is: pgd 0.30."


def test_quality_stands_between_clean_images_and_noise(settings, tmp_path, no_critics):
    chosen = dataclasses.replace(
        settings,
        table="quality",
        extractor=settings.classifier,
        samples=40,
        steps=5,
        runs=1,
        projections=8,
    )
    results = supervised(chosen, tmp_path)
    rows = {row["arm"]: row for row in results["rows"]}
    references = ["clean test", "attacked, as they are"]
    assert list(rows) == [*references, "random sampling", "convolution", "noise"]
    assert [len(row["frechet"]["values"]) for row in rows.values()] == [1] * 5
    floor, _, *views, ceiling = (row["frechet"]["mean"] for row in rows.values())
    assert floor < min(views) <= max(views) < ceiling
    # A distance is a number of its extractor too.
    # Of a run that had more repetitions, those that are asked for are told.
    saved = read_json(tmp_path / "results.json")
    more = {f"{name}/1": saved["runs"][f"{name}/0"] for name in VIEWS}
    saved["runs"] |= more
    write_json(tmp_path / "results.json", saved)
    again = supervised(chosen, tmp_path, resume=True)
    assert again["settings"]["runs"] == 1
    assert {row["runs"] for row in again["rows"]} == {1}
    assert set(more) < set(again["runs"])
    name = results["column_titles"]["frechet"]
    assert name == "FD (small)"
    assert name in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        (np.zeros(5), "is no different from penalty, by 0.000 nats ± 0.000"),
        (np.array([0.1, 0.3, np.nan]), "is no different from"),
        (np.array([0.1, 0.3, np.nan]), "1 images without a number left out"),
        (np.array([0.30, 0.31, 0.32]), "is above penalty, by +0.310 nats"),
        (-np.array([0.30, 0.31, 0.32]), "is below penalty, by \u22120.310 nats"),
        (np.array([0.1, np.nan]), "1 images with both numbers tell nothing"),
    ],
)
def test_no_more_is_said_of_a_difference_than_the_images_show(differences, words):
    assert words in _compared("as reported", differences)


def test_few_images_make_no_claims_of_chance():
    """Two standard errors of three images would say "above" or "below" of 18 %."""
    rng = np.random.default_rng(0)
    told = [_compared("", rng.normal(size=3)) for _ in range(400)]
    claims = sum("no different" not in sentence for sentence in told)
    assert claims <= 400 * 0.05 + 2.0 * (400 * 0.05 * 0.95) ** 0.5


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        (0.0, "one run cannot tell the two kinds of views apart"),
        (1.0, "convolution views are nearer"),
        (300.0, "the two kinds of views do not differ"),
    ],
)
def test_one_run_cannot_tell_views_apart(spread, words):
    means = dict(zip((*VIEWS, FLOOR, CEILING), (340.0, 20.0, 1.0, 500.0), strict=True))
    rows = [
        {"arm": name}
        | {key: {"mean": mean, "std": spread} for key in ("frechet", "kernel")}
        for name, mean in means.items()
    ]
    assert (
        words
        in Quality(SupervisedSettings(table="quality"), None).findings(rows, {})[0]
    )


@pytest.mark.slow
def test_robust_attacks_two_classifiers(settings, tmp_path, no_critics, monkeypatch):
    monkeypatch.setattr(robust, "ATTACKS", ("pgd", "minmax"))
    chosen = dataclasses.replace(
        settings, table="robust", steps=5, robust_epochs=2, robust_samples=64, samples=4
    )
    results = supervised(chosen, tmp_path)
    assert [row["arm"] for row in results["rows"]] == [
        f"{attack} on {target}"
        for attack in ("pgd", "minmax")
        for target in ("plain", "robust")
    ]
    assert len(results["findings"]) == 2
    trained = load_classifier(tmp_path / "classifiers" / "robust.keras")
    assert trained.name == "strided_classifier"
    assert not trained.compiled


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "speed"}, "`table` must be one of: minmax-vs-penalty"),
        ({"dataset": "circles"}, "`dataset` must be one of: mnist"),
        ({"marginals": "none"}, "`marginals` must be one of: all, shuffle"),
        ({"samples": 0}, "`samples` must be a whole number, at least 1"),
        ({"projections": 1}, "`projections` must be .* at least 2"),
        ({"steps": 5, "search_steps": 9}, "at least search_steps.*steps=5"),
        ({"epsilons": ()}, "`epsilon` and `epsilons` must be positive"),
        ({"epsilon": 0.0}, "`epsilon` and `epsilons` must be positive"),
    ],
)
def test_settings_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        SupervisedSettings(**changes)


def test_a_table_brings_its_own_settings():
    assert set(_TABLES) == set(TABLES)
    assert SupervisedSettings(table="quality").dataset == "cifar10"
    assert SupervisedSettings().to_dict()["samples"] == 1000


def test_more_images_than_are_classified_correctly(settings, tmp_path):
    chosen = dataclasses.replace(settings, samples=360)
    short = Bench(chosen, tmp_path)
    with pytest.raises(ValueError, match="`samples` asks for 360 test images"):
        short.images(short.classifier())
