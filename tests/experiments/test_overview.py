"""One row per experiment: what it says, and how it copes with half a result."""

from uae_tf.experiments.report import Entry, command_of, overview_table, to_markdown
from uae_tf.experiments.report.numbers import scale_label
from uae_tf.experiments.verdict import verdict

SCALE = scale_label(-3)

ERRORS = {
    "original": [7.0e-3, 7.1e-3, 6.9e-3],
    "duplicated": [5.7e-3, 5.7e-3, 5.6e-3],
    "mine_uae": [5.6e-3, 5.7e-3, 5.6e-3],
}


def statistic(values):
    return {"mean": sum(values) / len(values), "std": 1e-4, "values": values}


def make_results(**changes):
    paper = {"original": 2.58e-3, "mine_uae": 2.28e-3}
    results = {
        "settings": {"dataset": "mnist", "samples": 2000, "seeds": 3},
        "rows": [
            {
                "arm": arm,
                "test_error": statistic(errors),
                "updates": 3000,
                "paper": paper.get(arm),
            }
            for arm, errors in ERRORS.items()
        ],
        "runs": {arm: {str(s): {"seconds": 10.0} for s in range(3)} for arm in ERRORS},
        "verdict": verdict(ERRORS).to_dict(),
        "complete": True,
        "command": "uae-tf reconstruct --dataset mnist --out runs/a --resume --seeds 3",
    }
    return results | changes


def row(**changes):
    table = overview_table([Entry("dense", make_results(**changes))])
    titles = [header.title for header in table.headers]
    return dict(zip(titles, (cell.text for cell in table.rows[0]), strict=True))


def test_row_tells_paper_ours_control_cost_and_verdict():
    assert row() == {
        "experiment": "dense",
        "data": "mnist, 2,000 samples",
        "paper": f"original 2.58; mine_uae 2.28 {SCALE}",
        "ours": f"original 7.00 ± 0.10; mine_uae 5.63 ± 0.10 {SCALE}",
        "strongest control": f"duplicated 5.67 ± 0.10 {SCALE}",
        "seeds": "3",
        "updates": "3,000",
        "time": "1 min 30 s",
        "verdict": "mine_uae: no effect beyond duplicated",
        "command": "uae-tf reconstruct --dataset mnist --seeds 3",
    }


def test_beside_the_candidate_stands_plain_training_not_the_untrained():
    untrained = {"arm": "untrained", "test_error": statistic([9e-3] * 3)}
    found = row(rows=[untrained, *make_results()["rows"]])
    assert found["ours"].startswith("original 7.00")


def test_updates_are_those_of_the_comparison_not_of_the_short_protocol():
    short = {"arm": "original_short", "test_error": statistic([9e-3] * 3)}
    rows = [*make_results()["rows"], short | {"updates": 1500}]
    assert row(rows=rows)["updates"] == "3,000"


def test_the_verdict_has_its_colour_and_says_against_what():
    worse = {**ERRORS, "mine_uae": [error + 3e-3 for error in ERRORS["original"]]}
    hurts = make_results(verdict=verdict(worse).to_dict())
    for results, colour, told in (
        (make_results(), "no effect", "no effect beyond duplicated"),
        (hurts, "hurts", "hurts against duplicated"),
    ):
        cell = overview_table([Entry("dense", results)]).rows[0][1]
        assert (cell.tone, cell.text) == (colour, f"mine_uae: {told}")


def test_one_seed_has_no_spread():
    row_of_one = {"arm": "original", "test_error": statistic([7e-3])}
    assert row(rows=[row_of_one], verdict=None)["ours"] == f"original 7.00 {SCALE}"


def test_data_that_are_not_the_papers_are_named():
    found = row(settings={"dataset": "activity"})["data"]
    assert found == "activity, not the paper's rows"
    few = {"dataset": "circles", "labels": 1000, "noise": 0.06}
    assert row(settings=few)["data"] == "circles, 1,000 labels, noise 0.06"
    # Nobody's CIFAR-10 is said to be our JPEG copy.
    assert "JPEG" not in row(settings={"dataset": "cifar10"})["data"]


def test_run_without_a_candidate_has_no_verdict_and_shows_all_arms():
    found = row(verdict=None)
    assert found["verdict"] == "none: no candidate with controls"
    assert found["strongest control"] == ""
    assert all(arm in found["ours"] for arm in ERRORS)


def test_unfinished_run_says_how_many_seeds_there_are():
    runs = {"original": {"0": {"seconds": 1.0}, "1": {"seconds": None}}, "mine_uae": {}}
    found = row(complete=False, runs=runs)
    assert found["seeds"] == "0 to 2 of 3, unfinished"
    assert found["time"] == "1.0 s"


def test_accuracies_of_the_paper_are_told_where_it_has_no_errors():
    rows = [{"arm": "original", "paper_accuracy": 0.913}, {"arm": "mine_uae"}]
    assert row(rows=rows)["paper"] == "accuracy: original 91.30 %"


def test_attacks_are_told_by_their_success_and_what_was_found():
    rows = [
        {"arm": "minmax", "success_rate": 0.995, "paper_success_rate": 1.0},
        {"arm": "penalty", "success_rate": 1.0},
    ]
    found = row(
        settings={"dataset": "mnist", "samples": 1000},
        primary="success_rate",
        rows=rows,
        runs={"minmax/0": {"images": 100, "seconds": 61.0}},
        verdict=None,
        findings=["On 1000 images minmax is slower.", "More."],
    )
    assert found["verdict"] == "On 1000 images minmax is slower."
    assert found["ours"] == "minmax 99.50; penalty 100.00 %"
    assert found["paper"] == "minmax 100.00 %"
    assert found["seeds"] == ""
    assert found["time"] == "1 min 01 s"


def test_a_page_that_tells_commands_elsewhere_has_the_width_for_the_rest():
    entries = [Entry("dense", make_results())]
    with_them, without = (overview_table(entries, told) for told in (True, False))
    assert with_them.headers[-1].title == "command"
    assert without.headers == with_them.headers[:-1]
    assert without.rows == tuple(row[:-1] for row in with_them.rows)


def test_empty_results_are_an_empty_row():
    found = to_markdown(overview_table([Entry("nothing", {})]))
    assert "nothing" in found


def test_command_is_without_what_only_the_first_run_needs():
    given = {"command": "uae-tf select --out m/mnist --legacy --resume --out-dated"}
    assert command_of(given) == "uae-tf select --legacy --out-dated"


def test_a_folder_with_a_space_is_left_out_whole():
    given = {"command": "uae-tf reconstruct --out 'my runs/x' --data-dir 'my data'"}
    assert command_of(given) == "uae-tf reconstruct --data-dir 'my data'"
    given = {"command": "uae-tf reconstruct '--out=my runs/x' --seeds 3"}
    assert command_of(given) == "uae-tf reconstruct --seeds 3"
