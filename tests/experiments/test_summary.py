import json

import numpy as np
import pytest

from uae_tf.experiments import summary
from uae_tf.experiments.pictures import Pictures
from uae_tf.experiments.report import render_report
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.experiments.storage import to_plain

ARMS = ("original", "duplicated", "mine_uae")
SETTINGS = ReconstructionSettings(arms=ARMS, seeds=3)


def make_runs(**errors):
    """Numbers of arms, one error per seed from 0 on."""
    return {
        arm: {
            str(seed): {
                "test_error": error,
                "train_error": error,
                "updates": 10,
                "seconds": 1.0 + seed,
            }
            for seed, error in enumerate(values)
        }
        for arm, values in errors.items()
    }


RUNS = make_runs(
    original=[0.5, 0.6, 0.7],
    duplicated=[0.4, float("nan"), 0.6],
    mine_uae=[0.3, 0.4, 0.5],
)


@pytest.mark.parametrize("runs", [RUNS, json.loads(json.dumps(to_plain(RUNS)))])
def test_a_diverged_seed_is_left_out_and_counted(runs):
    """Read back from results.json, where NaN is null, or fresh."""
    rows = {row["arm"]: row for row in summary.rows(SETTINGS, runs)}
    found = rows["duplicated"]["test_error"]
    assert found["mean"] == pytest.approx(0.5)
    assert found["std"] == pytest.approx(np.std([0.4, 0.6], ddof=1))
    np.testing.assert_array_equal(found["values"], [0.4, np.nan, 0.6])
    assert "error" not in rows["duplicated"]
    verdict = summary.judge(SETTINGS, runs)
    counts = {c["control"]: c["excluded"] for c in verdict["comparisons"]}
    assert counts == {"original": 0, "duplicated": 1}


def test_an_arm_of_diverged_seeds_has_failed_and_can_be_shown(tmp_path):
    nan = float("nan")
    runs = make_runs(original=[0.5, 0.6, 0.7], duplicated=[nan] * 3, mine_uae=[nan] * 3)
    rows = summary.rows(SETTINGS, runs)
    assert [row.get("error") for row in rows] == [None] + ["no finite error"] * 2
    results = {
        "settings": SETTINGS.to_dict(),
        "rows": rows,
        "verdict": summary.judge(SETTINGS, runs),
    }
    figures = Pictures(tmp_path / "none.npz").figures(rows)
    page = render_report(to_plain(results), figures)
    assert page.count("failed: no finite error") == 2
    assert ">pending<" not in page


def test_an_error_of_zero_is_a_result():
    rows = summary.rows(SETTINGS, make_runs(original=[0.0]))
    assert rows[0]["test_error"]["mean"] == 0.0


def test_seeds_are_paired_by_number_and_not_by_order():
    runs = make_runs(original=[0.5, 0.6, 0.7], mine_uae=[0.3, 0.4, 0.5])
    runs["mine_uae"] = dict(reversed(runs["mine_uae"].items()))
    rows = summary.rows(SETTINGS, runs)
    assert rows[1]["test_error"]["values"] == [0.3, 0.4, 0.5]
    del runs["original"]["1"]
    (comparison, _) = summary.judge(SETTINGS, runs)["comparisons"]
    assert comparison["seeds"] == 2
    assert comparison["difference"] == pytest.approx(0.2)


def test_seeds_and_arms_beyond_the_settings_are_left_out():
    few = ReconstructionSettings(arms=("mine_uae", "original"), seeds=2)
    rows = summary.rows(few, RUNS)
    assert [row["arm"] for row in rows] == ["mine_uae", "original"]
    assert rows[0]["test_error"]["values"] == [0.3, 0.4]
    assert summary.judge(few, RUNS)["comparisons"][0]["seeds"] == 2


def test_nothing_to_compare_gives_no_verdict():
    for arms in (("original", "duplicated"), ("mine_uae",)):
        settings = ReconstructionSettings(arms=arms)
        assert summary.judge(settings, RUNS) is None
    short = ReconstructionSettings(arms=("original_short", "mine_uae"))
    assert summary.judge(short, RUNS) is None


@pytest.mark.parametrize(
    ("tuning", "best"),
    [
        ({"0.05": 0.3, "0.1": 0.2, "0.5": 0.4}, 0.1),
        # As written by Python, and as read back.
        ({"0.05": float("nan"), "0.1": 0.2}, 0.1),
        ({"0.05": None, "0.1": 0.2}, 0.1),
    ],
)
def test_the_best_sigma_has_the_lowest_finite_error(tuning, best):
    assert summary.best_stddev(tuning) == best


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ((0.3, 0.4, 0.5), "may lie below"),
        ((0.5, 0.4, 0.3), "may lie above"),
        ((0.5, 0.3, 0.4), None),
    ],
)
def test_a_sigma_at_an_end_of_those_tried_is_told(errors, told):
    tuning = dict(zip(("0.05", "0.1", "0.5"), errors, strict=True))
    text = " ".join(summary.notes(ReconstructionSettings(), tuning))
    assert ("may lie" in text) == (told is not None)
    assert (told or "") in text
    # Of one value alone neither end says anything.
    assert "may lie" not in summary.notes(ReconstructionSettings(), {"0.1": 0.2})[0]


@pytest.mark.parametrize(
    ("model", "original", "uae"),
    [
        ("sparse", 0.00561, 0.00243),
        ("dense", 0.00258, 0.00228),
        ("conv", 0.00294, 0.00256),
        ("adversarial", 0.04785, 0.04581),
    ],
)
def test_the_paper_s_table(model, original, uae):
    settings = ReconstructionSettings(dataset="mnist", model=model)
    assert summary.paper_error(settings, "original_short") == original
    assert summary.paper_error(settings, "mine_uae") == uae
    # Twice the updates: no number of the paper's.
    assert summary.paper_error(settings, "original") is None


def test_notes_tell_what_was_chosen_and_how():
    found = summary.notes(SETTINGS, {"0.1": 0.2, "0.3": 0.1})
    assert found[0].startswith("gaussian_tuned: sigma 0.3 had the lowest")
    assert "held out" in found[0]
    assert not any("sigma" in note for note in summary.notes(SETTINGS, {}))
    transfer = ReconstructionSettings(source_model="sparse")
    assert "against the sparse model" in summary.notes(transfer, {})[-1]


def test_a_noise_that_no_training_withstood_is_not_called_the_best():
    tuning = {"0.05": float("nan"), "0.1": None, "0.5": float("inf")}
    (note, _) = summary.notes(SETTINGS, tuning)
    assert "sigma 0.05 was not chosen but comes first" in note
    assert "none had a finite validation error of 3 tried (0.05, 0.1, 0.5)" in note
    assert "lowest" not in note
    assert "smallest" not in note
    (note, _) = summary.notes(SETTINGS, tuning | {"0.5": 2.0})
    assert "sigma 0.5 had the lowest validation error of 3 tried" in note
