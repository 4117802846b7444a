import html
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from uae_tf import datasets
from uae_tf.cli import app
from uae_tf.datasets import Dataset
from uae_tf.experiments import summary
from uae_tf.experiments.augmenters import Augmenter
from uae_tf.experiments.reconstruction import reconstruct
from uae_tf.experiments.seed_run import ReconstructionBench, SeedRun
from uae_tf.experiments.settings import ARMS, ReconstructionSettings
from uae_tf.experiments.storage import read_json
from uae_tf.experiments.verdict import verdict

TINY = {"samples": 64, "epochs": 1, "steps": 2}
#: 64 samples and 64 copies in batches of 100.
UPDATES = 2
MEASURES = {"success_rate", "relative_loss_change", "l2", "linf", "cosine"}
MEASURES |= {"mutual_information"}


def small_run(out, arms, **settings):
    settings = {**TINY, "seeds": 1, "similarity": "gaussian", **settings}
    return reconstruct(ReconstructionSettings(arms=arms, **settings), out)


def numbers(results, arm, seed=0):
    """What an arm measured, without what it took."""
    entry = results["runs"][arm][str(seed)]
    return {k: v for k, v in entry.items() if not k.endswith("seconds")}


def test_the_results_file_holds_what_was_returned(full_run):
    results, out = full_run
    saved = read_json(out / "results.json")
    assert saved == json.loads(json.dumps(results))
    assert saved["experiment"] == "reconstruct"
    assert saved["complete"] is True
    assert {"settings", "environment", "rows", "verdict", "notes"} <= set(saved)
    assert {"python", "tensorflow", "keras", "date"} <= set(saved["environment"])
    wanted = {"dataset": "digits", "samples": 64, "epochs": 1, "seeds": 2, "seed": 0}
    assert saved["settings"].items() >= wanted.items()
    assert "data_dir" not in saved["settings"]


@pytest.mark.filterwarnings("ignore:The model gave NaN", "ignore:The attack moved no")
def test_arms_that_all_diverge_have_verdict_and_report(tmp_path, monkeypatch):
    train = SeedRun._train

    def diverge(*arguments):
        return [weights * np.nan for weights in train(*arguments)]

    monkeypatch.setattr(SeedRun, "_train", diverge)
    results = small_run(tmp_path, ("original", "duplicated", "mine_uae"))
    assert results["complete"]
    assert {row["error"] for row in results["rows"]} == {"no finite error"}
    assert "no finite error): 1 against original" in results["verdict"]["sentence"]
    assert (tmp_path / "report.html").exists()
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert not drawn & {"errors", "histogram"}


def test_rows_come_in_the_order_of_the_arms(full_run):
    assert [row["arm"] for row in full_run[0]["rows"]] == list(ARMS)


def test_every_arm_but_the_short_one_gets_the_same_updates(full_run):
    updates = {row["arm"]: row["updates"] for row in full_run[0]["rows"]}
    assert updates.pop("original_short") == 1
    assert set(updates.values()) == {UPDATES}


def test_rows_follow_from_the_single_runs(full_run):
    results, _ = full_run
    for row in results["rows"]:
        entries = results["runs"][row["arm"]]
        assert list(entries) == ["0", "1"]
        for name in ("test_error", "train_error", *MEASURES):
            values = [entry[name] for entry in entries.values() if name in entry]
            if not values:
                assert row[name] is None
                continue
            assert row[name]["values"] == values
            assert row[name]["mean"] == pytest.approx(np.mean(values))
            assert row[name]["std"] == pytest.approx(np.std(values, ddof=1))
        times = [entry["seconds"] for entry in entries.values()]
        assert row["seconds"] == pytest.approx(np.mean(times))


def test_arms_with_examples_have_their_measures_and_the_others_have_none(full_run):
    for row in full_run[0]["rows"]:
        is_plain = row["arm"] in ("original", "original_short", "duplicated")
        assert {row[name] is None for name in MEASURES} == {is_plain}, row["arm"]


def test_the_paper_is_quoted_for_mnist_only(full_run):
    assert {row["paper"] for row in full_run[0]["rows"]} == {None}
    mnist = ReconstructionSettings(dataset="mnist", model="dense")
    quoted = {arm: summary.paper_error(mnist, arm) for arm in ARMS}
    assert {arm: e for arm, e in quoted.items() if e is not None} == {
        "original_short": 0.00258,
        "gaussian_0.01": 0.00244,
        "gaussian_0.001": 0.00238,
        "l2_uae": 0.00286,
        "mine_uae": 0.00228,
    }


def test_the_verdict_compares_paired_seeds_with_every_control(full_run):
    results, _ = full_run
    values = {
        row["arm"]: row["test_error"]["values"]
        for row in results["rows"]
        if row["arm"] != "original_short"
    }
    assert results["verdict"] == verdict(values).to_dict()
    assert results["verdict"]["sentence"]


def test_the_choice_of_sigma_is_recorded(full_run):
    tuning = full_run[0]["tuning"]
    assert list(tuning) == ["0.05", "0.1", "0.2", "0.3", "0.5"]
    chosen = min(tuning, key=tuning.get)
    assert f"sigma {chosen} had the lowest" in full_run[0]["notes"][0]
    means = {row["arm"]: row["l2"] for row in full_run[0]["rows"] if row["l2"]}
    assert means["gaussian_tuned"]["mean"] > 2 * means["gaussian_0.01"]["mean"]


def test_report_and_figures_are_there(full_run):
    page = html.unescape((full_run[1] / "report.html").read_text(encoding="utf-8"))
    page = page.replace("\N{NO-BREAK SPACE}", " ")
    assert full_run[0]["verdict"]["headline"] in page
    pictures = {path.stem for path in (full_run[1] / "figures").glob("*.png")}
    assert pictures == {"errors", "gallery", "convergence", "histogram"}
    assert not list(full_run[1].rglob("*.tmp"))


def test_the_time_of_an_attack_is_that_of_its_own_arm(full_run):
    for seed in ("0", "1"):
        spent = {a: r[seed]["attack_seconds"] for a, r in full_run[0]["runs"].items()}
        attacks = {arm for arm, seconds in spent.items() if seconds}
        assert attacks == {"criterion_only", "l2_uae", "mine_uae"}
        assert all(
            r[seed]["seconds"] > r[seed]["attack_seconds"]
            for r in full_run[0]["runs"].values()
        )


def test_equal_seeds_give_equal_numbers_whatever_else_runs(
    full_run, tmp_path, no_report
):
    arms = ("mine_uae", "matched_noise")
    again = small_run(tmp_path, arms, similarity="mine")
    for arm in arms:
        assert numbers(again, arm) == numbers(full_run[0], arm)
    assert numbers(full_run[0], "mine_uae", 1) != numbers(full_run[0], "mine_uae", 0)


def test_seeds_count_on_from_the_first(full_run, tmp_path, no_report):
    later = small_run(tmp_path, ("duplicated",), seed=1)
    assert numbers(later, "duplicated", 1) == numbers(full_run[0], "duplicated", 1)


@pytest.mark.parametrize(
    ("settings", "updates", "copies"),
    [
        ({"copies": 2, "target": "clean"}, 2, 2),
        ({"copies": 2, "rounds": 2, "samples": 50}, 3, 4),
        ({"source_model": "sparse", "preset": "default", "norm": "squared"}, 2, 1),
    ],
    ids=["copies", "rounds", "transfer"],
)
def test_options_keep_the_updates_of_all_arms_equal(
    settings, updates, copies, tmp_path, instant_training
):
    arms = ("original", "duplicated", "start_noise", "mine_uae")
    results = small_run(tmp_path, arms, **settings)
    assert [row["arm"] for row in results["rows"]] == list(arms)
    assert {row["updates"] for row in results["rows"]} == {updates}
    assert {call["updates"] for call in instant_training} == {updates}
    last = instant_training[-1]
    samples = settings.get("samples", 64)
    x = last["x"].reshape(1 + copies, samples, 8, 8, 1)
    moved = [np.any(copy != x[0]) for copy in x[1:]]
    assert all(moved)
    assert len({copy.tobytes() for copy in x}) == 1 + copies
    if settings.get("target") == "clean":
        targets = last["x_target"].reshape(x.shape)
        assert all(np.array_equal(target, x[0]) for target in targets)
    if "source_model" in settings:
        originals = {path.stem for path in (tmp_path / "originals").iterdir()}
        assert originals == {"original-dense-0", "original-sparse-0"}
        assert any("Transfer" in note for note in results["notes"])


def test_a_round_attacks_the_model_of_the_round_before(
    tmp_path, instant_training, monkeypatch
):
    labels, trained, train = [], [], SeedRun._train
    attacked, attack = [], Augmenter.__call__

    def named(self, kind, copies, updates, label, x=None):
        labels.append(label)
        trained.append(train(self, kind, copies, updates, label, x))
        return trained[-1]

    def watched(self, *arguments, **settings):
        attacked.append(self.model.get_weights())
        return attack(self, *arguments, **settings)

    monkeypatch.setattr(SeedRun, "_train", named)
    monkeypatch.setattr(Augmenter, "__call__", watched)
    small_run(tmp_path, ("mine_uae",), rounds=2)
    # A killed training of an encoder is taken up by its name.
    assert labels == ["original", "mine_uae round 1", "mine_uae"]
    original, second, final = instant_training
    np.testing.assert_array_equal(original["x"], second["x"][:64])
    np.testing.assert_array_equal(second["x"], final["x"][:128])
    assert len(final["x"]) == 3 * 64
    assert len(attacked) == 2
    for found, expected in zip(attacked, trained[:2], strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
    assert np.any(attacked[0][0] != attacked[1][0])


def test_conventional_augmentation_with_and_without_uaes(tmp_path, instant_training):
    arms = ("conventional", "mine_uae", "conventional_mine_uae")
    kinds = ("flip", "rotation", "noise")
    results = small_run(tmp_path, arms, conventional=kinds)
    assert {row["updates"] for row in results["rows"]} == {UPDATES}
    _, conventional, uae, both = (call["x"] for call in instant_training)
    np.testing.assert_array_equal(np.concatenate([conventional, uae[64:]]), both)
    # With UAEs in it, it is no control of theirs.
    compared = [c["control"] for c in results["verdict"]["comparisons"]]
    assert compared == ["conventional"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "circles"}, "'circles' does not fit: `x` has values outside"),
        (
            {"dataset": "table", "arms": ("conventional",), "conventional": ("flip",)},
            r"arms conventional flip or rotate.*shape \(4,\)",
        ),
        (
            {"dataset": "table", "arms": ("matched_noise",), "views": "convolution"},
            "needs a convolution layer",
        ),
    ],
)
def test_what_an_arm_could_not_use_is_refused_at_once(settings, message, monkeypatch):
    table = Dataset(*[np.full((8, 4), 0.5, "float32"), np.zeros(8, int)] * 2, "table")
    load = datasets.load
    monkeypatch.setattr(
        datasets, "load", lambda name, *a: table if name == "table" else load(name, *a)
    )
    chosen = ReconstructionSettings(**{"model": "dense", "samples": 8, **settings})
    data = datasets.load(chosen.dataset, None, 8)
    with pytest.raises(ValueError, match=message):
        ReconstructionBench(chosen, data)


def test_one_sample_is_enough_but_not_to_choose_a_sigma(tmp_path, no_report):
    results = small_run(tmp_path / "one", ("gaussian_0.01",), samples=1)
    assert all(np.isfinite(row["test_error"]["mean"]) for row in results["rows"])
    with pytest.raises(ValueError, match=r"gaussian_tuned.*two or more"):
        small_run(tmp_path / "none", ("gaussian_tuned",), samples=1)
    assert not (tmp_path / "none").exists()


def test_ctrl_c_keeps_finished_jobs_and_resume_goes_on(
    tmp_path, full_run, interrupt, errors, monkeypatch
):
    arms = ("original", "gaussian_0.01", "l2_uae")
    command = ["reconstruct", "--samples", "64", "--epochs", "1", "--steps", "2"]
    command += ["--seeds", "2", "--arms", ",".join(arms), "--out", str(tmp_path)]
    interrupt(3)
    stopped = CliRunner().invoke(app, command)
    assert stopped.exit_code == 130
    assert "--resume" in stopped.stdout
    assert "pending" in stopped.stdout
    saved = read_json(tmp_path / "results.json")
    assert saved["complete"] is False
    expected = errors(full_run[0])
    assert errors(saved) == {arm: expected[arm][:1] for arm in arms[:2]}
    assert ">pending<" in (tmp_path / "report.html").read_text(encoding="utf-8")

    interrupt(0)
    trained = []
    train = SeedRun._train
    monkeypatch.setattr(
        SeedRun, "_train", lambda self, *a: trained.append(a[3]) or train(self, *a)
    )
    resumed = CliRunner().invoke(app, [*command, "--resume"])
    assert resumed.exit_code == 0, resumed.output
    results = read_json(tmp_path / "results.json")
    assert results["complete"] is True
    # As in the run that nobody disturbed, which had all arms.
    assert errors(results) == {arm: expected[arm] for arm in arms}
    # The job that was interrupted, and all of the second seed.
    assert trained == ["l2_uae", "original", "gaussian_0.01", "l2_uae"]
