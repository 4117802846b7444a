import json
import math
import re

import numpy as np
import pytest

from uae_tf.experiments.comparison import (
    HELPS,
    HURTS,
    NO_EFFECT,
    NO_SEED,
    ONE_SEED,
    SAME_IN_ALL,
    compare,
    holm,
)
from uae_tf.experiments.verdict import Verdict, verdict

# Student quantiles t(0.975, n - 1) from printed tables.
QUANTILES = {2: 12.7062, 3: 4.30265, 4: 3.18245, 5: 2.77645, 11: 2.22814}


def by_name(outcome):
    return {c.control: c for c in outcome.comparisons}


@pytest.mark.parametrize("seeds", sorted(QUANTILES))
def test_interval_is_students(seeds):
    rng = np.random.default_rng(seeds)
    control, candidate = rng.normal(size=(2, seeds))
    got = compare("control", control, candidate)
    differences = control - candidate
    error = math.sqrt(differences.var(ddof=1) / seeds)
    assert got.difference == pytest.approx(differences.mean())
    assert got.standard_error == pytest.approx(error)
    assert got.high - got.difference == pytest.approx(QUANTILES[seeds] * error, 1e-4)
    assert got.difference - got.low == pytest.approx(QUANTILES[seeds] * error, 1e-4)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_an_interval_is_of_the_level_that_was_asked_for(level):
    # Of two degrees of freedom the quantile has a closed form.
    quantile = level * math.sqrt(2.0 / (1.0 - level**2))
    got = compare("control", np.array([1.0, 2.0, 3.0]), np.zeros(3), level)
    assert got.high - got.difference == pytest.approx(quantile / math.sqrt(3.0))


def test_p_value_agrees_with_the_closed_form_for_two_degrees_of_freedom():
    # t = 2: P(|T| > 2) = 1 - t / sqrt(2 + t^2) for two degrees of freedom.
    differences = np.array([2.0 - math.sqrt(3), 2.0, 2.0 + math.sqrt(3)])
    got = compare("control", differences, np.zeros(3))
    assert got.standard_error == pytest.approx(1.0)
    assert got.p_value == pytest.approx(1.0 - 2.0 / math.sqrt(6.0))
    assert got.effect == NO_EFFECT


@pytest.mark.parametrize(
    ("control", "effect"),
    [
        ([2.0, 2.1, 1.9], HELPS),
        ([1.0, 1.2, 0.8], NO_EFFECT),
        ([0.5, 0.4, 0.6], HURTS),
    ],
)
def test_effect_follows_the_interval(control, effect):
    outcome = verdict({"control": control, "mine_uae": [1.0, 1.0, 1.0]})
    assert outcome.effect == outcome.comparisons[0].effect == effect
    assert effect in outcome.sentence


def test_seeds_are_paired():
    """A difference far below the spread over seeds shows once seeds are paired."""
    seed_effect = np.array([0.0, 5.0, -3.0, 9.0])
    errors = {
        "control": 10.1 + seed_effect + [0.01, 0.0, -0.01, 0.0],
        "mine_uae": 10.0 + seed_effect,
    }
    assert verdict(errors).effect == HELPS
    shuffled = errors | {"mine_uae": errors["mine_uae"][::-1]}
    assert verdict(shuffled).effect == NO_EFFECT


def test_relative_difference_is_in_percent_of_the_control():
    got = compare("control", np.array([4.0, 4.0]), np.array([3.0, 3.5]))
    assert got.relative(got.difference) == pytest.approx(18.75)
    assert (got.control_mean, got.candidate_mean) == (4.0, 3.25)
    zero = compare("control", np.zeros(2), np.ones(2))
    assert math.isnan(zero.relative(zero.difference))


def test_one_seed_is_undecided():
    outcome = verdict({"control": [2.0], "mine_uae": [1.0]})
    assert outcome.effect == ONE_SEED == "undecided: one seed"
    assert outcome.strongest == "control"
    assert "No verdict from one seed" in outcome.headline
    assert math.isnan(outcome.comparisons[0].low)


@pytest.mark.parametrize(
    "values", [{"control": [1.0]}, {"mine_uae": [1.0], "control": []}, {"control": []}]
)
def test_unfinished_arms_leave_no_verdict(values):
    outcome = verdict(values, controls=["control"])
    assert outcome.effect == NO_SEED
    assert outcome.strongest is None
    assert outcome.headline.startswith("No verdict yet")


def test_ties():
    same = {"control": [1.0, 2.0, 3.0], "mine_uae": [1.0, 2.0, 3.0]}
    outcome = verdict(same)
    assert outcome.effect == NO_EFFECT
    assert outcome.comparisons[0].p_value == 1.0
    # The same difference in every seed: nothing to measure chance by.
    outcome = verdict(same | {"control": [1.5, 2.5, 3.5], "other": [1.6, 2.5, 3.6]})
    assert outcome.effect == SAME_IN_ALL == "undecided: seeds do not differ"
    assert "as much in each of 3 seeds" in outcome.headline
    assert by_name(outcome)["control"].standard_error == 0.0
    assert math.isnan(by_name(outcome)["control"].low)
    assert by_name(outcome)["other"].effect == HELPS
    assert "is undecided against control (seeds do not differ)" in outcome.sentence
    assert Verdict.from_dict(outcome.to_dict()).effect == SAME_IN_ALL


def test_error_rates_of_few_samples_do_not_make_claims_of_chance():
    """No arm is better; rates are rounded to one of 360 test samples."""
    rng = np.random.default_rng(0)
    claims = 0
    for _ in range(400):
        errors = np.round(20.0 + rng.normal(0.0, 1.5 / 2**0.5, (7, 3))) / 3.6
        found = verdict({f"arm{i}": list(row) for i, row in enumerate(errors)}, "arm0")
        claims += any(c.corrected_effect in (HELPS, HURTS) for c in found.comparisons)
    # Five in a hundred, and their spread in 400 draws.
    assert claims <= 400 * 0.05 + 2.0 * (400 * 0.05 * 0.95) ** 0.5


def test_seeds_that_failed_are_left_out_and_said():
    outcome = verdict(
        {
            "control": [2.0, math.nan, 2.1, 1.9],
            "other": [2.0, 2.1, math.inf, None],  # the last is not run yet
            "mine_uae": [1.0, 1.0, 1.0, 1.0],
        }
    )
    assert by_name(outcome)["control"].seeds == 3
    assert by_name(outcome)["control"].difference == pytest.approx(1.0)
    assert by_name(outcome)["other"].excluded == 1
    assert "1 against control and 1 against other" in outcome.sentence


def test_unequal_seeds_are_paired_by_position():
    outcome = verdict({"control": [2.0, 2.1], "mine_uae": [1.0, 1.0, 99.0]})
    assert outcome.comparisons[0].seeds == 2
    assert outcome.comparisons[0].excluded == 0
    assert outcome.effect == HELPS


def test_strongest_control_decides():
    spread = np.array([-0.01, 0.0, 0.01, 0.0])
    outcome = verdict(
        {
            "original": 7.0 + 2 * spread,
            "gaussian_tuned": 5.0 - spread,
            "mine_uae": 5.0 + spread,
        }
    )
    assert outcome.strongest == "gaussian_tuned"
    assert outcome.effect == NO_EFFECT
    assert by_name(outcome)["original"].corrected_effect == HELPS
    assert "cannot be credited" in outcome.sentence
    assert "Gaussian noise of a well-chosen size" in outcome.sentence


def test_beating_weak_controls_is_no_merit_where_a_strong_one_is_better():
    spread = np.array([-0.01, 0.0, 0.01, 0.0])
    outcome = verdict(
        {
            "start_noise": 9.0 + 2 * spread,
            "duplicated": 5.0 - spread,
            "mine_uae": 7.0 + spread,
        }
    )
    assert outcome.effect == HURTS
    assert "cannot be credited" not in outcome.sentence
    assert "Beating start_noise is no merit then:" in outcome.sentence
    assert "does better." in outcome.sentence


def test_what_the_correction_takes_back_is_not_claimed_by_another_sentence():
    """Worse than duplicates by its own interval, but not after four looks."""
    spread = np.array([-1.0, 0.0, 1.0])
    outcome = verdict(
        {
            "original": 7.0 + 0.001 * spread,
            "duplicated": 4.9 + 0.03 * spread,
            "gaussian_0.01": 5.01 + 0.1 * spread,
            "gaussian_tuned": 5.02 + 0.1 * spread,
            "mine_uae": [5.0, 5.0, 5.0],
        }
    )
    strongest = by_name(outcome)["duplicated"]
    assert outcome.strongest == "duplicated"
    assert (strongest.effect, strongest.corrected_effect) == (HURTS, NO_EFFECT)
    assert by_name(outcome)["original"].corrected_effect == HELPS
    assert "does better" not in outcome.sentence
    assert "does as well, within the uncertainty" in outcome.sentence


def test_strongest_is_judged_on_shared_seeds():
    """Seed 2 is hard for every arm: who lacks it must not look strong for that."""
    outcome = verdict(
        {
            "hard": [1.0, 1.0, 9.0],
            "easy": [1.5, 1.5],
            "mine_uae": [2.0, 2.0, 10.0],
        }
    )
    assert outcome.strongest == "hard"


def test_holm_against_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def test_sentence_is_corrected_for_many_controls():
    spread = np.array([-1.0, 0.0, 1.0])
    # p = 0.035 against each of ten controls: none stands up to 10 looks.
    errors = {f"control_{i}": 3.0 + spread for i in range(10)}
    outcome = verdict(errors | {"mine_uae": np.zeros(3)})
    assert {c.effect for c in outcome.comparisons} == {HELPS}
    assert {c.corrected_effect for c in outcome.comparisons} == {NO_EFFECT}
    assert outcome.effect == NO_EFFECT
    assert "looking at 10 controls (Holm, 5 % in all)" in outcome.sentence
    assert "more seeds are needed" in outcome.sentence


def test_the_correction_is_of_the_level_that_was_asked_for():
    # p = 0.035 against each of two controls, 0.07 after the correction.
    control = 3.0 + np.array([-1.0, 0.0, 1.0])
    errors = {"original": control, "duplicated": control, "mine_uae": np.zeros(3)}
    outcome = verdict(errors, level=0.9)
    assert (outcome.effect, verdict(errors).effect) == (HELPS, NO_EFFECT)
    assert "(Holm, 10 % in all)" in outcome.sentence


def test_the_unit_of_the_errors_does_not_matter():
    """Errors per pixel are small, and so are their differences."""
    errors = {"original": [4.0, 4.2, 4.1], "mine_uae": [3.1, 2.9, 3.0]}
    small = {arm: [2.0**-30 * e for e in values] for arm, values in errors.items()}
    assert verdict(small).sentence == verdict(errors).sentence
    assert verdict(small).effect == HELPS


def test_a_loss_is_told_with_its_interval_from_the_smaller_end():
    outcome = verdict({"original": [0.5, 0.4, 0.6], "mine_uae": [1.0, 1.0, 1.0]})
    # 4.30265 * 0.1 / sqrt(3) on either side of 0.5, in % of 0.5.
    told = "100.0 % higher (95 % interval 50.3 % to 149.7 %, 3 seeds)"
    assert told in outcome.headline


@pytest.mark.parametrize(
    ("control", "span"),
    [
        ([4.0, 3.0, 9.0, 5.0], r"interval \d+\.\d % to 100\.0 %"),
        ([4.0, 1.0, 3.0, 9.0], r"interval \u2212100\.0 % to \+\d+\.\d %"),
    ],
    ids=["helps", "no effect"],
)
def test_no_interval_promises_an_error_below_zero(control, span):
    outcome = verdict({"original": control, "mine_uae": [0.0] * len(control)})
    (comparison,) = outcome.comparisons
    assert comparison.high > comparison.control_mean
    assert re.search(span, outcome.headline)


def test_finished_controls_only():
    outcome = verdict(
        {"original": [2.0, 2.0, 2.1], "mine_uae": [1.0, 1.0, 1.0]},
        controls=["original", "start_noise"],
    )
    assert outcome.effect == HELPS
    assert "the strongest finished control" in outcome.headline
    assert "undecided against start_noise (no seed)" in outcome.sentence


def test_dictionary_survives_strict_json():
    outcome = verdict({"a": [2.0], "b": [2.0, 2.1], "mine_uae": [1.0, 1.0]})
    text = json.dumps(outcome.to_dict(), allow_nan=False)
    again = Verdict.from_dict(json.loads(text))
    assert again.sentence == outcome.sentence
    assert again.comparisons[1] == outcome.comparisons[1]
    assert math.isnan(again.comparisons[0].low)


@pytest.mark.parametrize("entries", [{"effect": "helps"}, {"comparisons": 3}])
def test_foreign_dictionary_is_refused(entries):
    with pytest.raises(ValueError, match="must have the form"):
        Verdict.from_dict(entries)


@pytest.mark.parametrize(
    ("values", "settings", "match"),
    [
        ({"mine_uae": [1.0]}, {}, "controls is empty"),
        ({"a": [1.0]}, {"controls": ["a", "a"]}, "different arms"),
        ({"a": [1.0]}, {"controls": ["mine_uae"]}, "other than the candidate"),
        ({"a": [1.0]}, {"level": 95}, r"level must lie in \(0, 1\)"),
        ({"a": [[1.0, 2.0]]}, {}, "one number per seed"),
        ({"a": ["x"]}, {}, "one number per seed"),
    ],
)
def test_bad_input(values, settings, match):
    with pytest.raises(ValueError, match=match):
        verdict(values, **settings)
