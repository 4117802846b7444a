"""The penalty method: the search, and descents that are MinMax with c held fixed."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import (
    GaussianMI,
    MinMaxAttack,
    PenaltyAttack,
    UniformNoise,
    UntargetedMargin,
)
from uae_tf.attacks.best import Best
from uae_tf.attacks.penalty import _SEED_STRIDE, Search

SETTINGS = {"steps": 6, "step_size": 0.1, "epsilon": 0.5, "initial_noise": 0.2}
SEARCH_STEPS, FIRST = 5, 0.5


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(3),
        ]
    )


@pytest.fixture(scope="module")
def data(model):
    x = np.random.default_rng(0).uniform(size=(6, 12)).astype(np.float32)
    return x, model(x).numpy().argmax(axis=1)


@pytest.fixture(scope="module")
def result(model, data):
    x, y = data
    attack = PenaltyAttack(
        UntargetedMargin(model),
        GaussianMI(),
        search_steps=SEARCH_STEPS,
        initial_multiplier=FIRST,
        **SETTINGS,
    )
    return attack(x, y, trace=True)


def quietly(attack, x, y, **settings):
    """Some of these are meant to fail on every sample."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The attack succeeded on no sample")
        return attack(x, y, **settings)


def published_search(successes, c=1e-3):
    """c of each outer step, as the published code computes it (SPEC 2.5.1)."""
    lower, upper, used = 0.0, 1e10, []
    for success in successes:
        used.append(c)
        if success:
            upper = min(upper, c)
            c = (lower + upper) / 2
        else:
            lower = max(lower, c)
            c = (lower + upper) / 2 if upper < 1e9 else c * 10
    return used


@pytest.mark.parametrize("seed", range(4))
def test_the_search_is_the_published_one(seed):
    successes = np.random.default_rng(seed).random((9, 5)) < [0.0, 0.2, 0.5, 0.8, 1.0]
    search, used = Search.start(tf.fill((5,), 1e-3)), []
    for row in successes:
        used.append(search.multiplier.numpy())
        search = search.after(tf.constant(row))
    expected = [published_search(column) for column in successes.T]
    np.testing.assert_allclose(np.transpose(used), expected, rtol=1e-5)


def test_it_is_the_best_of_descents_with_a_fixed_multiplier(model, data, result):
    # MinMaxAttack whose multiplier does not move is one such descent.
    x, y = data
    for sample in range(3):
        best, c, lower, upper = None, FIRST, 0.0, 1e10
        for k in range(SEARCH_STEPS):
            descent = MinMaxAttack(
                UntargetedMargin(model),
                GaussianMI(),
                multiplier_step_size=0.0,
                initial_multiplier=c,
                seed=k * _SEED_STRIDE,
                **SETTINGS,
            )
            rows = slice(sample, sample + 1)
            found = quietly(descent, x[rows], y[rows], sample_ids=[sample])
            if found.success[0]:
                if best is None or found.similarity[0] > best.similarity[0]:
                    best = found
                upper = min(upper, c)
            else:
                lower = max(lower, c)
            c = (lower + upper) / 2 if upper < 1e9 else c * 10
        assert result.success[sample] == (best is not None)
        if best is not None:
            np.testing.assert_allclose(
                result.examples[sample], best.examples[0], atol=1e-5
            )
            assert result.similarity[sample] == pytest.approx(
                best.similarity[0], rel=1e-4
            )


def test_successes_are_classified_otherwise(model, data, result):
    _, y = data
    received = model(result.examples).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, received != y)
    assert result.success.any()
    assert np.all(result.linf <= SETTINGS["epsilon"] + 1e-6)


def test_the_trace_shows_one_multiplier_a_descent(result):
    multipliers = result.trace["multiplier"]
    assert multipliers.shape == (SEARCH_STEPS * (SETTINGS["steps"] + 1), 6)
    descents = multipliers.reshape(SEARCH_STEPS, SETTINGS["steps"] + 1, 6)
    np.testing.assert_array_equal(descents, descents[:, :1].repeat(7, axis=1))
    np.testing.assert_array_equal(descents[0, 0], FIRST)
    assert len(np.unique(descents[:, 0])) > 2


def test_the_published_code_moves_delta_towards_similarity(model, data):
    x, y = data
    settings = {**SETTINGS, "step_size": 1e-9, "search_steps": 1}
    attacks = [
        PenaltyAttack(
            UntargetedMargin(model), GaussianMI(), similarity_step=step, **settings
        )
        for step in (0.0, 0.02)
    ]
    still, moved = (
        quietly(attack, x, y, trace=True).trace["similarity"] for attack in attacks
    )
    np.testing.assert_allclose(still[0], still[-1], atol=1e-4)
    assert np.all(moved[-1] > moved[0] + 0.1)


def test_the_step_along_the_similarity_has_its_length_in_every_entry(model):
    x = np.random.default_rng(2).uniform(0.3, 0.7, (4, 12)).astype(np.float32)
    settings = {**SETTINGS, "steps": 1, "step_size": 1e-9, "search_steps": 1}
    attack = PenaltyAttack(
        UntargetedMargin(model), GaussianMI(), similarity_step=0.02, **settings
    )
    found = quietly(attack, x, np.zeros(4, int)).examples
    start = UniformNoise(SETTINGS["initial_noise"])(x).examples
    np.testing.assert_allclose(np.abs(found - start), 0.02, atol=1e-6)


class Scripted(PenaltyAttack):
    """Two successes: the better one by a descent that broke down."""

    def _descend(self, start, clean, log, first=0, trace=False):
        is_first = tf.fill(tf.shape(start.multiplier), first == 0)
        f = tf.where(is_first, -2.0, -1.0)
        best = Best.start(clean.x).update(
            clean.x + 0.1, f, start.multiplier, f, tf.ones_like(is_first)
        )
        return start._replace(best=best, is_finite=~is_first), log


def test_what_a_descent_found_that_broke_down_does_not_count(model, data):
    settings = {**SETTINGS, "search_steps": 2, "initial_multiplier": FIRST}
    result = Scripted(UntargetedMargin(model), GaussianMI(), **settings)(*data)
    assert result.success.all()
    np.testing.assert_array_equal(result.criterion, -1.0)
    # To the search it is a failure: c grew tenfold.
    np.testing.assert_array_equal(result.similarity, 10.0 * FIRST)


def test_presets(model):
    code = PenaltyAttack.from_preset("published", UntargetedMargin(model), GaussianMI())
    assert code.similarity_step == pytest.approx(4e-4)
    assert code.initial_noise == "glorot"
    paper = PenaltyAttack.from_preset("paper", UntargetedMargin(model), steps=5)
    assert (paper.similarity_step, paper.steps, paper.search_steps) == (0.0, 5, 9)
    # SPEC 1.6, 2.5.
    settings = PenaltyAttack(UntargetedMargin(model)).get_config()
    expected = {"steps": 1000, "step_size": 0.01, "initial_multiplier": 1e-3}
    assert settings == {**settings, **expected, "epsilon": 1.0, "search_steps": 9}
    with pytest.raises(ValueError, match=r"`preset` must be one of.*'mine'"):
        PenaltyAttack.from_preset("mine", UntargetedMargin(model))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search_steps": 0}, "`search_steps` must be positive"),
        ({"initial_multiplier": 0.0}, "`initial_multiplier` must be positive"),
        ({"similarity_step": -1.0}, "`similarity_step` must be at least 0"),
        ({"steps": 0}, "`steps` must be positive"),
    ],
)
def test_settings_that_make_no_sense(model, settings, message):
    with pytest.raises(ValueError, match=message):
        PenaltyAttack(UntargetedMargin(model), GaussianMI(), **settings)
