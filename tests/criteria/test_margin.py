"""Margins of logits: formulas, signs, and labels that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import PGDAttack, TargetedMargin, UntargetedMargin

CLASSES = 4
X = np.random.default_rng(0).uniform(size=(6, 3)).astype(np.float32)
Y = np.array([0, 1, 2, 3, 1, 2])


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(CLASSES)])


def by_hand(logits, y):
    own = logits[np.arange(len(y)), y]
    others = [np.delete(row, label).max() for row, label in zip(logits, y, strict=True)]
    return own - np.array(others)


@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_margins_are_the_papers(model, kappa):
    margin = by_hand(model(X).numpy(), Y)
    f, baseline = UntargetedMargin(model, kappa).evaluate(X, X, y=Y)
    np.testing.assert_allclose(f, margin + kappa, rtol=1e-5)
    np.testing.assert_array_equal(baseline, 0.0)
    f, _ = TargetedMargin(model, kappa).evaluate(X, X, y=Y)
    np.testing.assert_allclose(f, kappa - margin, rtol=1e-5)


def test_success_is_what_the_prediction_says(model):
    prediction = model(X).numpy().argmax(axis=1)
    assert np.all(UntargetedMargin(model).evaluate(X, X, y=prediction)[0] > 0)
    assert np.all(TargetedMargin(model).evaluate(X, X, y=prediction)[0] < 0)
    other = (prediction + 1) % CLASSES
    assert np.all(UntargetedMargin(model).evaluate(X, X, y=other)[0] < 0)
    assert np.all(TargetedMargin(model).evaluate(X, X, y=other)[0] > 0)


def test_the_own_logit_is_not_among_the_others(model):
    # Were it, a sample classified as labelled would have a margin and gradient of 0.
    x = tf.constant(X)
    criterion = UntargetedMargin(model)
    prediction = tf.argmax(model(x), axis=1)
    context = criterion.prepare(x, prediction, criterion.outputs(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        f = criterion.value(criterion.outputs(x), context)
    weights = model.layers[0].kernel.numpy()
    runner_up = model(X).numpy().argsort(axis=1)[:, -2]
    expected = weights[:, prediction.numpy()] - weights[:, runner_up]
    np.testing.assert_allclose(tape.gradient(f, x), expected.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("margin", [UntargetedMargin, TargetedMargin])
def test_attacks_reach_what_the_margin_asks_for(model, margin):
    prediction = model(X).numpy().argmax(axis=1)
    y = prediction if margin is UntargetedMargin else (prediction + 1) % CLASSES
    result = PGDAttack(margin(model), epsilon=1.0, steps=40)(X, y)
    received = model(result.examples).numpy().argmax(axis=1)
    is_reached = (received == y) == (margin is TargetedMargin)
    np.testing.assert_array_equal(result.success, is_reached)
    assert result.success.any()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "labels, and none came.*`y`"),
        (np.eye(CLASSES)[Y], r"looks one-hot.*argmax"),
        (Y.astype(float), "integers.*dtype float64"),
        (Y[:, None], r"integers, shape \(N,\).*\(6, 1\)"),
        (Y + 1, r"in \[0, 4\).*from 1 to 4"),
        (Y - 1, r"in \[0, 4\).*from -1 to 2"),
        (Y[:3], r"same length.*6 samples.*\(3,\)"),
    ],
)
def test_labels_that_do_not_fit(model, y, message):
    with pytest.raises(ValueError, match=message):
        PGDAttack(UntargetedMargin(model), steps=1)(X, y)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ([keras.layers.Dense(CLASSES, "softmax")], r"must return logits.*softmax"),
        ([keras.layers.Dense(CLASSES), keras.layers.Softmax()], "ends in a softmax"),
        (
            [keras.layers.Dense(CLASSES), keras.layers.Activation("sigmoid")],
            "ends in a sigmoid",
        ),
        ([keras.layers.Dense(1)], r"two classes or more.*\(1,\)"),
        ([keras.layers.Reshape((3, 1))], r"two classes or more.*\(3, 1\)"),
    ],
)
def test_a_model_without_logits(tail, message):
    attack = PGDAttack(UntargetedMargin(keras.Sequential([keras.Input((3,)), *tail])))
    with pytest.raises(ValueError, match=message):
        attack(X, Y)


@pytest.mark.parametrize("kappa", [0.0, 3.0])
def test_a_target_that_is_the_label_is_refused(model, kappa):
    prediction = model(X).numpy().argmax(axis=1)
    targets = (prediction + 1) % CLASSES
    targets[[1, 4]] = prediction[[1, 4]]
    attack = PGDAttack(TargetedMargin(model, kappa), steps=1)
    with pytest.raises(ValueError, match=r"targets, not labels.*2 of 6.*\(rows 1, 4\)"):
        attack(X, targets)
    with pytest.raises(ValueError, match=r"6 of 6 samples \(rows 0, .* 4, \.\.\.\)"):
        attack(X, prediction)


def test_the_row_of_a_later_batch_is_named(model):
    prediction = model(X).numpy().argmax(axis=1)
    attack = PGDAttack(TargetedMargin(model), steps=1)
    with pytest.raises(ValueError, match=r"2 of 2 samples \(rows 4, 5\)"):
        attack.check(X[4:], prediction[4:], first_id=4)


def test_the_similarity_is_to_rise(model):
    assert UntargetedMargin(model).maximizes_similarity
    assert TargetedMargin(model).maximizes_similarity
