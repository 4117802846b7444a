"""What holds for every attack, shown on one model: each of these costs a trace."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

FIELDS = ("examples", "success", "similarity", "criterion", "l2", "linf", "is_finite")


@keras.saving.register_keras_serializable("tests")
class Poison(layers.Layer):
    """The identity, but NaN where a sample's first entry is near 0.5 and not on it."""

    def call(self, x):
        first = x[:, :1, :1, :1]
        distance = tf.abs(first - 0.5)
        is_bad = (distance > 1e-6) & (distance < 0.2)
        return tf.where(is_bad, tf.constant(np.nan, x.dtype), x)


def convolutional(*before, dtype=None):
    """With tanh: a ReLU would turn NaN into 0."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            *before,
            layers.Conv2D(4, 3, padding="same", activation="tanh", dtype=dtype),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype=dtype),
        ]
    )


def has_restarts(case):
    return "restarts" in case.attack.get_config()


def score(case, result):
    """What the attack minimises among successes."""
    has_similarity = getattr(case.attack, "similarity", None) is not None
    return result.similarity if has_similarity else result.criterion


def test_another_seed_gives_other_examples(one_case):
    other = one_case.run(attack=one_case.again(seed=1))
    differs = (other.examples != one_case.result.examples).reshape(len(other), -1)
    assert differs.any(axis=1).all()


def test_configuration_gives_the_same_examples(one_case):
    config = json.loads(json.dumps(one_case.attack.get_config()))
    again = type(one_case.attack).from_config(config, one_case.criterion.model)
    assert again.get_config() == one_case.attack.get_config()
    assert repr(again) == repr(one_case.attack)
    received = one_case.run(attack=again)
    for field in FIELDS:
        np.testing.assert_array_equal(
            getattr(received, field), getattr(one_case.result, field)
        )


def test_configuration_needs_the_model(one_case):
    if one_case.attack.criterion is None:
        pytest.skip("attacks no model")
    with pytest.raises(ValueError, match=r"from_config needs the attacked model"):
        type(one_case.attack).from_config(one_case.attack.get_config())


def test_configuration_is_registered(one_case):
    serialized = keras.saving.serialize_keras_object(one_case.attack)
    name = type(one_case.attack).__name__
    assert serialized["registered_name"] == f"uae_tf>{name}"


def test_restarts_never_make_a_sample_worse(one_case):
    if not has_restarts(one_case):
        pytest.skip("has no restarts")
    once, often = one_case.result, one_case.run(attack=one_case.again(restarts=4))
    assert np.all(often.success >= once.success)
    both = often.success & once.success
    assert np.all(score(one_case, often)[both] <= score(one_case, once)[both])
    neither = ~often.success & ~once.success
    assert np.all(often.criterion[neither] <= once.criterion[neither])
    assert np.any(often.examples != once.examples)
    f, _ = one_case.criterion.evaluate(one_case.x, often.examples)
    np.testing.assert_allclose(often.criterion, f, atol=1e-4)


def test_trace_holds_every_iterate_and_the_result_is_one_of_them(one_case):
    traced = one_case.run(trace=True)
    for field in FIELDS:
        np.testing.assert_allclose(
            getattr(traced, field), getattr(one_case.result, field), atol=1e-5
        )
    if not has_restarts(one_case):
        assert traced.trace is None
        return
    count, rows = len(one_case.x), one_case.attack.steps + 1
    descents = getattr(one_case.attack, "search_steps", 1)
    assert all(t.shape == (descents * rows, count) for t in traced.trace.values())
    # The start noise of a descent is no find: the choice is among iterates 1 ... T.
    found = np.arange(descents * rows) % rows > 0
    f = traced.trace["criterion"][found]
    has_similarity = getattr(one_case.attack, "similarity", None) is not None
    by = traced.trace["similarity"][found] if has_similarity else f
    feasible = f <= 0.0
    best = np.where(feasible.any(axis=0), np.where(feasible, by, np.inf), f)
    chosen = np.argmin(best, axis=0), np.arange(count)
    np.testing.assert_array_equal(traced.success, feasible.any(axis=0))
    np.testing.assert_array_equal(traced.criterion, f[chosen])
    if has_similarity:
        np.testing.assert_array_equal(traced.similarity, by[chosen])


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_models(one_case, dtype):
    model = convolutional(dtype=dtype)
    criterion = one_case.criterion_on(model)
    attack = one_case.again(criterion)
    result = one_case.run(attack=attack)
    assert result.examples.dtype == np.float32
    assert result.is_finite.all()
    if attack.criterion is not None:
        f, _ = criterion.evaluate(one_case.x, result.examples, batch_size=4)
        np.testing.assert_allclose(result.criterion, f, atol=0.02)


def test_a_nan_during_the_attack_touches_no_neighbour(one_case):
    if one_case.attack.criterion is None:
        pytest.skip("attacks no model")
    attack = one_case.again(one_case.criterion_on(convolutional(Poison())))
    if hasattr(attack, "epsilon"):
        attack = one_case.again(attack.criterion, epsilon=0.15)
    victim, x = 2, one_case.x.copy()
    x[:, 0, 0, 0] = 0.0 if hasattr(attack, "epsilon") else 1.0
    healthy = one_case.run(x, attack=attack)
    healthy_rows = np.arange(len(x)) != victim
    x[victim, 0, 0, 0] = 0.5
    broken = one_case.run(x, attack=attack)
    assert not broken.is_finite[victim]
    assert not broken.success[victim]
    np.testing.assert_array_equal(broken.augmented(x)[victim], x[victim])
    assert np.isfinite(broken.examples).all()
    for field in FIELDS:
        np.testing.assert_array_equal(
            getattr(broken, field)[healthy_rows], getattr(healthy, field)[healthy_rows]
        )
    if "Noise" not in type(attack).__name__:
        assert healthy.is_finite.all()
        assert "not finite: 1" in repr(broken)


def test_a_model_that_always_gives_nan_fails_every_sample(one_case):
    if one_case.attack.criterion is None:
        pytest.skip("attacks no model")
    model = convolutional()
    model.layers[-1].bias.assign([np.nan])
    attack = one_case.again(one_case.criterion_on(model))
    with pytest.warns(UserWarning, match="NaN or infinite numbers for every sample"):
        result = one_case.run(attack=attack)
    assert not result.success.any()
    assert not result.is_finite.any()
    assert np.isnan(result.criterion).all()
    assert np.isfinite(result.examples).all()
