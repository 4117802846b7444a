"""The public class: what it chooses for which model, and its settings."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import MINE, GaussianMI, L2Similarity
from uae_tf.mine import Similarity
from uae_tf.mine.bounds import BOUNDS
from uae_tf.mine.compressive import CompressiveMINE
from uae_tf.mine.convolution import ConvolutionMINE
from uae_tf.mine.deep import DeepMINE
from uae_tf.mine.pairing import all_pairs, cyclic_shifts


def convolutional(filters=8):
    layer = layers.Conv2D(filters, 3, padding="same")
    return keras.Sequential([keras.Input((8, 8, 1)), layer, layers.Dense(1)])


@pytest.fixture
def dense():
    return keras.Sequential([keras.Input((8,)), layers.Dense(8)], name="plain")


def test_auto_looks_at_convolutions_where_there_are_some(dense):
    assert isinstance(MINE().for_model(convolutional()), ConvolutionMINE)
    assert isinstance(MINE().for_model(dense), CompressiveMINE)
    explicit = MINE(views="compressive").for_model(convolutional())
    assert isinstance(explicit, CompressiveMINE)
    assert explicit.observed_layer(convolutional()) is None
    deep = MINE(critic="deep").for_model(convolutional())
    assert isinstance(deep, DeepMINE)


@pytest.mark.parametrize("critic", ["collapsed", "deep"])
def test_the_layer_says_where_its_channels_are(critic):
    layer = layers.Conv2D(4, 3, data_format="channels_first")
    model = keras.Sequential([layer])
    assert MINE(critic=critic).for_model(model).data_format == "channels_first"


def test_one_map_makes_no_pairs():
    assert isinstance(MINE().for_model(convolutional(1)), CompressiveMINE)
    with pytest.raises(ValueError, match=r"at least 2 filters.*has one of 1 filter"):
        MINE(views="convolution").for_model(convolutional(1))


def test_marginals_follow_the_number_of_pairs():
    def trainer(filters, marginals="auto"):
        estimator = MINE(marginals=marginals).for_model(convolutional(filters))
        return estimator.trainer

    assert trainer(64).pairing is all_pairs
    assert trainer(65).pairing is cyclic_shifts
    assert trainer(8, "shifts").pairing is cyclic_shifts
    assert trainer(65, "all").pairing is all_pairs
    assert trainer(8, "shuffle").pairing not in (all_pairs, cyclic_shifts)


SETTINGS = {
    "inner_steps": 3,
    "warmup_steps": 4,
    "learning_rate": 0.2,
    "hidden_units": 5,
    "num_projections": 6,
    "projection_dimension": 7,
    "jit_compile": False,
    "seed": 8,
}


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("kind", ["compressive", "convolution", "deep"])
def test_settings_reach_the_estimator(dense, kind, bound):
    model = dense if kind == "compressive" else convolutional()
    critic = "deep" if kind == "deep" else "collapsed"
    estimator = MINE(bound=bound, critic=critic, **SETTINGS).for_model(model)
    trainer = estimator.trainer
    assert trainer.bound is BOUNDS[bound]
    assert (trainer.num_steps, trainer.warmup_steps) == (3, 4)
    assert (trainer.learning_rate, trainer.jit_compile) == (0.2, False)
    assert (estimator.hidden_units, estimator.seed) == (5, 8)
    if kind == "compressive":
        assert (estimator.num_projections, estimator.projection_dimension) == (6, 7)


def test_the_shuffle_follows_the_seed():
    # T(u_k, v_j) = j, for v numbered from 0: the scores are the order itself.
    zeros, numbers = tf.zeros((1, 1, 8)), tf.range(8.0)[None, None]

    def order(seed):
        mine = MINE(marginals="shuffle", seed=seed).for_model(convolutional())
        scores = mine.trainer.pairing(zeros, numbers, tf.ones((1, 1)), tf.zeros((1, 1)))
        return scores.marginal.numpy().ravel()

    np.testing.assert_array_equal(order(3), order(3))
    assert np.any(order(3) != order(4))
    assert sorted(order(3)) == list(range(8))


def test_rates_and_sizes_by_default(dense):
    kinds = [(dense, "collapsed"), (convolutional(), "collapsed")]
    kinds.append((convolutional(), "deep"))
    made = [MINE(critic=critic).for_model(model) for model, critic in kinds]
    assert [e.trainer.learning_rate for e in made] == [1.0, 0.3, 0.03]
    # The published code's, and K of the paper's Table 2.
    assert {(e.trainer.num_steps, e.hidden_units) for e in made} == {(20, 10)}
    assert (made[0].num_projections, made[0].projection_dimension) == (96, 128)


def test_convolution_views_need_a_convolution(dense):
    message = "`views=\"convolution\"`.*'plain' has no convolution layer.*compressive"
    with pytest.raises(ValueError, match=message):
        MINE(views="convolution").for_model(dense)


def test_the_deep_critic_needs_a_convolution(dense):
    with pytest.raises(ValueError, match=r'`critic="deep"`.*critic="collapsed"'):
        MINE(critic="deep").for_model(dense)


@pytest.mark.parametrize("name", ["views", "marginals", "bound", "critic"])
def test_unknown_choices(name):
    with pytest.raises(ValueError, match=rf"`{name}` must be one of .*='other'"):
        MINE(**{name: "other"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inner_steps", 0),
        ("warmup_steps", -1),
        ("hidden_units", 0),
        ("num_projections", 1),
        ("projection_dimension", 1),
        ("learning_rate", 0.0),
    ],
)
def test_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be .*{name}={value}"):
        MINE(**{name: value})


@pytest.mark.parametrize(
    "similarity",
    [
        MINE(
            views="compressive",
            marginals="all",
            bound="smile",
            inner_steps=3,
            warmup_steps=4,
            learning_rate=0.2,
            hidden_units=5,
            num_projections=6,
            projection_dimension=7,
            jit_compile=False,
            seed=8,
        ),
        MINE(critic="deep"),
        GaussianMI(projection_dimension=3),
        L2Similarity(),
    ],
    ids=lambda similarity: type(similarity).__name__,
)
def test_configuration_round_trip(similarity):
    config = keras.saving.serialize_keras_object(similarity)
    assert config["registered_name"] == f"uae_tf>{type(similarity).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(similarity)
    assert again.get_config() == similarity.get_config()
    assert repr(again) == repr(similarity)


def test_a_similarity_without_value_says_so():
    with pytest.raises(NotImplementedError, match="Similarity must override `value`"):
        Similarity().value(None, None)


def test_infonce_always_sees_all_pairs(dense):
    trainer = MINE(bound="infonce").for_model(dense).trainer
    assert trainer.pairing is all_pairs
    with pytest.raises(ValueError, match=r'no bound of its own.*marginals="all"'):
        MINE(bound="infonce", marginals="shuffle")
