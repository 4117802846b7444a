"""The paper's layer-by-layer critic and the collapsed one are the same function."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import MINE
from uae_tf.mine.ascent import CriticTrainer
from uae_tf.mine.bounds import donsker_varadhan
from uae_tf.mine.deep import DeepMINE, collapse, respond
from uae_tf.mine.pairing import all_pairs

BATCH, HEIGHT, WIDTH, PAIRS, HIDDEN = 2, 4, 5, 6, 3
SEEDS = tf.zeros((BATCH, 2), tf.int32)


@pytest.fixture
def estimator():
    trainer = CriticTrainer(donsker_varadhan, all_pairs, 3, 0, 0.05, False)
    return DeepMINE(trainer, HIDDEN, seed=1)


@pytest.fixture
def maps(generator):
    shape = (2, BATCH, HEIGHT, WIDTH, PAIRS)
    return tf.constant(np.abs(generator.normal(size=shape)), tf.float32)


@pytest.fixture
def state(estimator, maps, generator):
    """With biases that are not zero, and other weights for each sample."""
    prepared = estimator.prepare(None, maps[0], SEEDS)
    return tf.nest.map_structure(
        lambda t: (
            t + tf.constant(0.02 * generator.normal(size=t.shape), tf.float32)
            if t is not prepared.maps_x
            else t
        ),
        prepared,
    )


def columns(maps):
    return tf.reshape(maps, (BATCH, HEIGHT * WIDTH, PAIRS))


def test_towers_collapse_to_one_linear_map(state, maps):
    for tower in (state.tower_x, state.tower_y):
        matrix, offset = collapse(tower, HEIGHT, WIDTH)
        assert matrix.shape == (BATCH, HIDDEN, HEIGHT * WIDTH)
        collapsed = tf.matmul(matrix, columns(maps[1])) + offset[:, :, None]
        np.testing.assert_allclose(
            respond(tower, maps[1]), collapsed, rtol=1e-5, atol=1e-5
        )


def test_scores_equal_those_of_the_collapsed_critic(estimator, state, maps):
    matrix_a, offset_a = collapse(state.tower_x, HEIGHT, WIDTH)
    matrix_b, offset_b = collapse(state.tower_y, HEIGHT, WIDTH)
    scores = all_pairs(
        tf.matmul(matrix_a, columns(maps[0])),
        tf.matmul(matrix_b, columns(maps[1])),
        state.output,
        offset_a + offset_b,
        tf.constant(0),
    )
    deep = all_pairs(
        respond(state.tower_x, maps[0]),
        respond(state.tower_y, maps[1]),
        state.output,
        tf.zeros_like(state.output),
        tf.constant(0),
    )
    np.testing.assert_allclose(deep.marginal, scores.marginal, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        estimator.value(state, maps[1]), donsker_varadhan(scores), atol=1e-5
    )


def test_layers_are_those_of_the_published_network(estimator, maps):
    tower = estimator.prepare(None, maps[0], SEEDS).tower_x
    flat = (HEIGHT - 1) * (WIDTH - 1) * 16
    assert [tuple(w.shape[1:]) for w in tower] == [
        (4, 16),
        (16,),
        (flat, 512),
        (512,),
        (512, HIDDEN),
        (HIDDEN,),
    ]
    for kernel, bias in zip(tower[::2], tower[1::2], strict=True):
        limit = np.sqrt(6.0 / sum(kernel.shape[1:]))
        assert 0.7 * limit < np.abs(kernel).max() <= limit
        assert not np.any(bias)


def test_inner_steps_raise_the_bound_and_move_every_layer(estimator, maps):
    state = estimator.prepare(None, maps[0], SEEDS)
    before = estimator.value(state, maps[1])
    trained, value, gradient = estimator.update(state, maps[1], tf.constant(1))
    assert np.all(value > before)
    assert gradient.shape == maps[1].shape
    for old, new in zip(
        tf.nest.flatten(state[:3]), tf.nest.flatten(trained[:3]), strict=True
    ):
        assert np.any(old != new)
    np.testing.assert_array_equal(trained.maps_x, maps[0])


def test_the_default_rate_does_not_collapse(maps):
    layer = keras.layers.Conv2D(PAIRS, 3)
    mine = MINE(critic="deep", warmup_steps=60).for_model(keras.Sequential([layer]))
    state = mine.prepare(None, maps[0], SEEDS)
    update = tf.function(mine.update, autograph=False)
    _, value, _ = update(state, maps[0], tf.constant(0))
    assert np.all(value > 0.5 * np.log(PAIRS))


def test_every_inner_step_has_a_permutation_of_its_own(maps):
    steps = []

    def score(*critic_and_step):
        steps.append(int(critic_and_step[-1]))
        return all_pairs.score(*critic_and_step)

    pairing = replace(all_pairs, score=score)
    trainer = CriticTrainer(donsker_varadhan, pairing, 2, 2, 0.05, False)
    estimator = DeepMINE(trainer, HIDDEN, seed=1)
    state = estimator.prepare(None, maps[0], SEEDS)
    estimator.update(state, maps[1], tf.constant(0))
    assert steps == [0, 1, 0, 1, 2]  # Warm-up, the iterate's own, the value.


def test_maps_may_come_with_their_channels_first(estimator, maps):
    moved = DeepMINE(estimator.trainer, HIDDEN, 1, data_format="channels_first")
    received = moved.features(None, None, None, tf.transpose(maps[0], (0, 3, 1, 2)))
    np.testing.assert_array_equal(received, maps[0])


def test_maps_that_are_no_images_are_refused(estimator):
    with pytest.raises(ValueError, match=r"2-D feature maps.*shape \(2, 9, 4\)"):
        estimator.features(None, None, None, tf.zeros((2, 9, 4)))
