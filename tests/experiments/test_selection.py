import json

import numpy as np
import pytest
from rich.console import Console

from uae_tf import datasets
from uae_tf.datasets import Dataset
from uae_tf.evaluation.feature_baselines import BASELINES
from uae_tf.evaluation.feature_selection import selection_quality
from uae_tf.experiments import selection
from uae_tf.experiments.report import baselines_table
from uae_tf.experiments.selection import Select, select
from uae_tf.experiments.selection_run import SelectionBench, SelectionRun
from uae_tf.experiments.selection_settings import (
    PAPER,
    RECIPES,
    SelectionRecipe,
    SelectionSettings,
)
from uae_tf.experiments.storage import read_json

ARMS = ("original", "start_noise", "mine_uae")
TINY = {"epochs": 2, "steps": 2, "samples": 96, "similarity": "gaussian", "features": 3}


@pytest.fixture(scope="module")
def data():
    """Mice that are none: twelve named features in three groups, two classes."""
    rng = np.random.default_rng(0)
    base = rng.random((128, 3)).astype("float32")
    x = np.repeat(base, 4, axis=1) * np.tile([1.0, 0.9, 0.8, 0.7], 3)
    x, y = x.astype("float32"), (base[:, 1] > 0.5).astype(np.int64)
    names = tuple(f"protein {i}" for i in range(12))
    return Dataset(x[:96], y[:96], x[96:], y[96:], "mice_protein", names)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """All of an experiment, tiny: results, folder, and how the data were loaded."""
    out, calls = tmp_path_factory.mktemp("select") / "run", []

    def load(*arguments, **options):
        calls.append((arguments, options))
        return data

    settings = SelectionSettings(arms=ARMS, seeds=2, legacy=True, **TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", load)
        results = select(settings, out)
    return results, out, calls


def test_results_are_those_of_every_experiment_and_more(run):
    results, out, calls = run
    saved = read_json(out / "results.json")
    assert saved == json.loads(json.dumps(results))
    assert saved["experiment"] == "select"
    assert calls == [(("mice_protein", None, 96), {"legacy": True})]
    recipe = RECIPES["mice_protein"]
    wanted = {"model": "concrete", "features": 3, "epochs": 2, "legacy": True}
    wanted["learning_rate"] = recipe.learning_rate
    assert saved["settings"].items() >= wanted.items()
    assert [row["arm"] for row in saved["rows"]] == list(ARMS)
    # 96 samples and 96 copies in batches of 64, twice.
    assert {row["updates"] for row in saved["rows"]} == {6}


def test_every_arm_has_what_its_features_are_worth(run, data):
    results, _, _ = run
    for arm, done in results["runs"].items():
        for seed, entry in done.items():
            chosen = entry["selected"]
            assert len(chosen) == 3
            assert entry["distinct"] == len(set(chosen))
            expected = selection_quality(data, chosen, int(seed))
            for name, value in expected.items():
                assert entry[name] == pytest.approx(value), (arm, name)
            assert entry["classifier_error"] == pytest.approx(1 - expected["accuracy"])
            assert 0.0 < entry["confidence"] <= 1.0
    row = results["rows"][0]
    values = [entry["accuracy"] for entry in results["runs"]["original"].values()]
    assert row["accuracy"]["mean"] == pytest.approx(np.mean(values))


def test_the_paper_stands_beside_original_and_uae(run):
    rows = {row["arm"]: row for row in run[0]["rows"]}
    names = ("paper", "paper_accuracy", "paper_success_rate")
    found = {arm: tuple(row[name] for name in names) for arm, row in rows.items()}
    assert found == {
        "original": (0.00651, 0.8981, None),
        "start_noise": (None, None, None),
        "mine_uae": (0.00611, 0.912, 0.4024),
    }
    assert set(PAPER) < set(RECIPES)


def test_baselines_are_measured_on_the_same_splits(run, data):
    results, _, _ = run
    assert [row["arm"] for row in results["baselines"]] == list(BASELINES)
    entry = results["further"]["variance"]["1"]
    expected = selection_quality(data, entry["selected"], 1)
    assert entry["linear_error"] == pytest.approx(expected["linear_error"])


def test_baselines_stand_beside_plain_and_uae_on_one_scale():
    def entry(mean, values=()):
        return {"mean": mean, "std": mean / 10, "values": list(values)}

    rows = [
        {"arm": arm, "linear_error": entry(0.02), "accuracy": entry(0.8)}
        for arm in ("mine_uae", "original", "duplicated")
    ]
    baseline = {"arm": "variance", "linear_error": entry(0.03, [0.03])}
    baseline |= {"accuracy": entry(0.7), "distinct": 10.0}
    table = baselines_table({"rows": rows, "baselines": [baseline]})
    assert table.headers[1].unit == "\N{MULTIPLICATION SIGN}1e-2"
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["original", "2.000 ± 0.200", "80.00 ± 8.00", ""],
        ["mine_uae", "2.000 ± 0.200", "80.00 ± 8.00", ""],
        ["variance", "3.000", "70.00 ± 7.00", "10.0"],
    ]
    assert baselines_table({"rows": rows}) is None


def test_the_verdict_of_the_trees_is_told_in_the_notes(run):
    notes = run[0]["notes"]
    assert any(note.startswith("Of the trees' error (1 - accuracy)") for note in notes)
    assert any("Legacy preprocessing" in note for note in notes)
    assert any("15 measurements of a mouse" in note for note in notes)


def test_the_report_names_features_and_baselines(run):
    results, out, _ = run
    page = (out / "report.html").read_text(encoding="utf-8")
    for part in ("Selected features", "protein ", "principal_features", "paper ASR"):
        assert part in page
    selected = results["selection"]["original"]
    assert ", ".join(selected) in page
    chosen = results["runs"]["original"]["0"]["selected"]
    assert selected == [f"protein {i}" for i in dict.fromkeys(chosen)]


def test_a_resumed_run_measures_nothing_twice(run, data, monkeypatch):
    results, out, _ = run
    monkeypatch.setattr(datasets, "load", lambda *_, **__: data)

    def refuse(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(selection.SelectionRun, "run", refuse)
    monkeypatch.setattr(selection.SelectionRun, "further", refuse)
    settings = SelectionSettings(arms=ARMS, seeds=2, legacy=True, **TINY)
    again = select(settings, out, resume=True)
    assert again["rows"] == results["rows"]
    assert again["baselines"] == results["baselines"]


def test_selected_pixels_are_drawn_on_the_mean_image(tmp_path):
    settings = SelectionSettings(
        dataset="digits", arms=("original",), seeds=1, baselines=False, **TINY
    )
    results = select(settings, tmp_path)
    assert (tmp_path / "figures" / "selection.png").stat().st_size > 5000
    assert results["baselines"] == []
    assert results["selection"] == {}
    assert results["verdict"] is None


def test_a_selection_that_diverged_is_worth_nothing(tmp_path, monkeypatch):
    """The largest of NaN would be feature 0, chosen by every unit."""
    train = SelectionRun._train

    def diverge(self, kind, copies, updates, label, x=None):
        weights = train(self, kind, copies, updates, label, x)
        if label != "duplicated" or self.seed:
            return weights
        return [np.full_like(w, np.nan) if w.dtype.kind == "f" else w for w in weights]

    monkeypatch.setattr(SelectionRun, "_train", diverge)
    settings = SelectionSettings(
        dataset="digits", arms=("original", "duplicated", "mine_uae"), seeds=2, **TINY
    )
    results = select(settings, tmp_path)
    entry = results["runs"]["duplicated"]["0"]
    assert entry["selected"] == []
    assert not {"accuracy", "linear_error", "distinct"} & set(entry)
    rows = {row["arm"]: row for row in results["rows"]}
    finished = results["runs"]["duplicated"]["1"]
    assert rows["duplicated"]["accuracy"]["values"] == [finished["accuracy"]]
    (trees,) = (n for n in results["notes"] if n.startswith("Of the trees' error"))
    assert "a run failed (no finite error): 1 against duplicated" in trees
    assert "selected/duplicated" not in np.load(tmp_path / "figures.npz")
    assert (tmp_path / "figures" / "selection.png").exists()


def test_legacy_is_noted_where_it_makes_a_difference(tmp_path):
    settings = SelectionSettings(
        dataset="digits", arms=("original",), seeds=1, baselines=False, legacy=True
    )
    data = datasets.load("digits", samples=20)
    run = Select(
        settings, SelectionBench(settings, data), tmp_path, False, Console(quiet=True)
    )
    assert not any("Legacy" in note for note in run.notes())


def test_a_factory_cools_over_the_updates_it_is_asked_for():
    settings = SelectionSettings(dataset="digits", samples=20)
    bench = SelectionBench(settings, datasets.load("digits", samples=20))
    model = bench.factory("concrete", 77)()
    assert model.annealing_steps == 77
    assert model.select.k == RECIPES["digits"].features
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 77)]
    assert rates == pytest.approx([RECIPES["digits"].learning_rate, 0.0], abs=1e-9)


def test_a_factory_follows_the_recipe_of_its_data():
    data = datasets.load("digits", samples=20)
    for name in ("digits", "isolet"):
        bench = SelectionBench(SelectionSettings(dataset=name, features=5), data)
        model = bench.factory("concrete")()
        assert model.select.embedding_dim == RECIPES[name].embedding_dim
        rates = {getattr(layer, "rate", None) for layer in model.decoder.layers}
        assert rates == {None, RECIPES[name].dropout}


def test_data_that_cannot_be_attacked_are_refused_at_once(tmp_path):
    settings = SelectionSettings(dataset="circles", features=1)
    with pytest.raises(ValueError, match=r"'circles' does not fit.*outside bounds"):
        select(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_override_the_recipe():
    assert SelectionSettings(dataset="isolet").recipe == RECIPES["isolet"]
    assert SelectionSettings(dataset="cifar10").recipe == SelectionRecipe()
    changed = SelectionSettings(dataset="isolet", features=7, epochs=3).recipe
    assert (changed.features, changed.epochs) == (7, 3)
    assert changed.batch_size == RECIPES["isolet"].batch_size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": 0}, "`features` must be a whole number, at least 1"),
        ({"arms": ("conventional",)}, "`arms` must be one of: original, "),
        ({"steps": 0}, "`steps` must be a whole number"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        SelectionSettings(**changes)
