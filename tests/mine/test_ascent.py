"""Training in function space is gradient ascent on the explicit weights."""

import numpy as np
import pytest
import tensorflow as tf

from uae_tf.mine.ascent import CriticTrainer
from uae_tf.mine.bounds import BOUNDS
from uae_tf.mine.pairing import all_pairs, cyclic_shifts, permutation

BATCH, PAIRS, HIDDEN, DIM_U, DIM_V, STEPS, RATE = 3, 6, 4, 5, 7, 9, 0.05

PAIRINGS = {
    "all": all_pairs,
    "shifts": cyclic_shifts,
    "shuffle": permutation(PAIRS, STEPS, seed=0),
}


@pytest.fixture
def views(generator):
    return [
        tf.constant(generator.normal(size=(BATCH, PAIRS, dim)) / dim**0.5, tf.float32)
        for dim in (DIM_U, DIM_V)
    ]


def gram(views):
    return tf.matmul(views, views, transpose_b=True)


def ascend(weights, critic_of, bound, pairing, num_steps):
    """Plain gradient ascent on (A, B, w, bias) by automatic differentiation."""
    for step in range(num_steps):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = bound(pairing(*critic_of(weights), tf.constant(step)))
        gradients = tape.gradient(value, weights)
        weights = [w + RATE * g for w, g in zip(weights, gradients, strict=True)]
    return weights


def trainer_for(bound, pairing, **settings):
    defaults = {"num_steps": STEPS, "warmup_steps": 4, "jit_compile": False}
    settings = {**defaults, "learning_rate": RATE, **settings}
    return CriticTrainer(BOUNDS[bound], PAIRINGS[pairing], **settings)


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("bound", BOUNDS)
def test_steps_equal_explicit_gradient_ascent(
    weights, explicit_critic, views, bound, pairing
):
    start = weights(BATCH, HIDDEN, DIM_U, DIM_V)
    trainer = trainer_for(bound, pairing)
    critic = explicit_critic(start, *views)
    ascent = trainer(critic, gram(views[0]), gram(views[1]), tf.constant(1))

    def critic_of(weights):
        return explicit_critic(weights, *views)

    explicit = ascend(start, critic_of, trainer.bound, trainer.pairing, STEPS)
    trained = explicit_critic(explicit, *views)
    for received, expected in zip(ascent.critic, trained, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    followed = start[1] + tf.matmul(ascent.b_step, views[1])
    np.testing.assert_allclose(followed, explicit[1], rtol=1e-5, atol=1e-5)
    value, gradient = trainer.evaluate(trained, tf.constant(STEPS))
    np.testing.assert_allclose(ascent.value, value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ascent.b_gradient, gradient.b, rtol=1e-4, atol=1e-5)


def test_compiled_chunks_equal_one_plain_pass(
    weights, explicit_critic, views, monkeypatch
):
    critic = explicit_critic(weights(BATCH, HIDDEN, DIM_U, DIM_V), *views)
    arguments = (critic, gram(views[0]), gram(views[1]), tf.constant(0))
    plain = trainer_for("donsker-varadhan", "all")(*arguments)
    compiled = trainer_for("donsker-varadhan", "all", jit_compile=True)
    assert compiled._chunk_size(critic) < BATCH
    for received, expected in zip(
        tf.nest.flatten(compiled(*arguments)), tf.nest.flatten(plain), strict=True
    ):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def test_warm_up_comes_before_the_first_iterate_only():
    trainer = trainer_for("nwj", "all")
    rounds = [int(trainer.rounds_at(tf.constant(t))) for t in range(3)]
    assert rounds == [2, 1, 1]


def test_rounds_follow_each_other(weights, explicit_critic, views):
    critic = explicit_critic(weights(BATCH, HIDDEN, DIM_U, DIM_V), *views)
    grams = gram(views[0]), gram(views[1])
    once = trainer_for("nwj", "shifts", num_steps=2 * STEPS)
    expected = once(critic, *grams, tf.constant(1))
    twice = trainer_for("nwj", "shifts", warmup_steps=STEPS)
    received = twice(critic, *grams, tf.constant(0))
    for one, other in zip(
        tf.nest.flatten(received), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_training_raises_the_bound(weights, explicit_critic, views):
    critic = explicit_critic(weights(BATCH, HIDDEN, DIM_U, DIM_V), *views)
    trainer = trainer_for("donsker-varadhan", "all", num_steps=200)
    before, _ = trainer.evaluate(critic)
    after = trainer(critic, gram(views[0]), gram(views[1]), tf.constant(1)).value
    assert np.all(after > before + 0.05)
    assert np.all(after <= np.log(PAIRS) + 1e-5)


def test_samples_do_not_see_each_other(weights, explicit_critic, views):
    critic = explicit_critic(weights(BATCH, HIDDEN, DIM_U, DIM_V), *views)
    trainer = trainer_for("infonce", "all")
    grams = [gram(v) for v in views]
    together = trainer(critic, *grams, tf.constant(1))
    broken = tf.nest.map_structure(
        lambda t: tf.concat([t[:1] * np.nan, t[1:]], axis=0), (critic, *grams)
    )
    beside = trainer(*broken, tf.constant(1))
    for received, expected in zip(
        tf.nest.flatten(beside), tf.nest.flatten(together), strict=True
    ):
        np.testing.assert_array_equal(received[1:], expected[1:])
    assert np.isnan(beside.value[0])
