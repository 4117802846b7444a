"""Settings, presets and special models of the MinMax attack."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import MINE, GaussianMI, L2Similarity, MinMaxAttack, Reconstruction
from uae_tf.attacks import PRESETS
from uae_tf.criteria import Criterion

SMALL = {"steps": 4, "initial_noise": 0.2, "step_size": 0.05}
MINE_SMALL = {
    "inner_steps": 2,
    "warmup_steps": 3,
    "num_projections": 6,
    "projection_dimension": 8,
}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epsilon": 0.0}, r"`epsilon` must be positive"),
        ({"epsilon": np.nan}, r"`epsilon` must be positive"),
        ({"steps": 0}, r"`steps` must be positive"),
        ({"step_size": -0.1}, r"`step_size` must be positive. Received: -0.1"),
        ({"initial_noise": -0.1}, r"`initial_noise` must be at least 0.*=-0.1"),
        ({"initial_noise": "much"}, r"`initial_noise` must be .*=\'much\'"),
        ({"initial_multiplier": -1.0}, r"`initial_multiplier` must be at least 0"),
        ({"multiplier_step_size": -1.0}, r"`multiplier_step_size` must be at least 0"),
    ],
)
def test_settings_out_of_range(criterion, settings, message):
    with pytest.raises(ValueError, match=message):
        MinMaxAttack(criterion, **settings)


def test_kinds_of_arguments(model, criterion):
    with pytest.raises(TypeError, match=r"`criterion` must be a uae_tf criterion"):
        MinMaxAttack(model)
    with pytest.raises(TypeError, match=r"`similarity` must be .*'l2'"):
        MinMaxAttack(criterion, "l2")
    with pytest.raises(ValueError, match=r"`views=\"convolution\"`"):
        MinMaxAttack(criterion, MINE(views="convolution"))


def test_presets(criterion):
    paper = MinMaxAttack.from_preset("paper", criterion)
    assert (paper.initial_noise, paper.initial_multiplier) == (0.0, 0.0)
    assert (paper.steps, paper.step_size, paper.epsilon) == (40, 0.01, 1.0)
    assert paper.multiplier_step_size == 0.1
    assert isinstance(paper.similarity, MINE)
    published = MinMaxAttack.from_preset("published", criterion, GaussianMI())
    assert published.initial_noise == "glorot"
    assert published.initial_multiplier == 1e-3
    strong = MinMaxAttack.from_preset("strong", criterion, None)
    assert (strong.initial_noise, strong.initial_multiplier) == (0.5, 100.0)
    other = MinMaxAttack.from_preset("strong", criterion, None, initial_multiplier=1.0)
    assert (other.initial_noise, other.initial_multiplier) == (0.5, 1.0)
    assert set(PRESETS) == {"default", "paper", "published", "strong"}
    with pytest.raises(ValueError, match=r"`preset` must be one of .*preset='other'"):
        MinMaxAttack.from_preset("other", criterion)


@pytest.mark.parametrize("similarity", [GaussianMI(), None])
def test_a_start_at_zero_that_goes_nowhere_is_reported(criterion, x, similarity):
    # Neither f+ nor the cosine has a slope at x itself.
    settings = {**SMALL, "initial_noise": 0.0}
    with pytest.warns(UserWarning, match="moved no sample"):
        MinMaxAttack(criterion, similarity, **settings)(x)


@pytest.mark.parametrize("is_set", [True, False])
def test_a_similarity_set_or_changed_before_the_run_is_the_one_in_use(
    criterion, x, is_set
):
    wanted = MINE(**MINE_SMALL, jit_compile=False)
    attack = MinMaxAttack(criterion, MINE(num_projections=4, inner_steps=1), **SMALL)
    if is_set:
        attack.similarity = wanted
    else:
        for name, value in wanted.get_config().items():
            setattr(attack.similarity, name, value)
    expected = MinMaxAttack(criterion, wanted, **SMALL)
    assert attack.get_config() == expected.get_config()
    np.testing.assert_array_equal(attack(x).similarity, expected(x).similarity)


class Weighted(L2Similarity):
    """Makes a weight of its own for the model it is bound to."""

    def for_model(self, model):
        bound = Weighted()
        bound.weight = tf.Variable(2.0)
        return bound

    def value(self, state, features):
        return self.weight * super().value(state, features)


def test_a_similarity_may_make_weights_when_it_is_bound(criterion, x):
    attack = MinMaxAttack(criterion, Weighted(), **SMALL)
    found = attack(x)
    np.testing.assert_array_equal(attack(x, trace=True).examples, found.examples)
    once = MinMaxAttack(criterion, L2Similarity(), similarity_weight=2.0, **SMALL)(x)
    np.testing.assert_allclose(found.similarity, 2.0 * once.similarity, rtol=1e-5)


def test_no_setting_of_criterion_or_similarity_is_changed_in_vain(criterion, x):
    attack = MinMaxAttack(criterion, GaussianMI(), **SMALL)
    attack(x)
    for part, name in (
        (attack.criterion, "kappa"),
        (attack.criterion, "model"),
        (attack.similarity, "projection_dimension"),
    ):
        with pytest.raises(AttributeError, match=f"`{name}` is part of the compiled"):
            setattr(part, name, getattr(part, name))


class Score(Criterion):
    """Supervised in miniature: the sum of the outputs must fall by 0.1."""

    maximizes_similarity = True

    def loss(self, outputs, context):
        return tf.reduce_sum(outputs, axis=1)


def test_supervised_criteria_raise_the_similarity(model, x):
    settings = {**SMALL, "steps": 12, "initial_multiplier": 1.0}
    attack = MinMaxAttack(Score(model, kappa=0.1), GaussianMI(), **settings)
    result = attack(x, trace=True)
    f, similarity = (result.trace[k][1:] for k in ("criterion", "similarity"))
    assert result.success.any()
    for row in np.flatnonzero(result.success):
        expected = similarity[f[:, row] <= 0, row].max()
        assert result.similarity[row] == expected
    twice = MinMaxAttack(Score(model, kappa=0.1), GaussianMI(), restarts=3, **settings)
    both = twice(x).success & result.success
    assert np.all(twice(x).similarity[both] >= result.similarity[both])


@pytest.mark.parametrize(("kind", "sign"), [(Score, 1.0), (Reconstruction, -1.0)])
def test_the_similarity_moves_the_way_the_criterion_wants_it(model, x, kind, sign):
    # f is far below 0 everywhere: nothing but the similarity is left to follow.
    settings = {**SMALL, "step_size": 1e-3}
    attack = MinMaxAttack(kind(model, kappa=-100.0), GaussianMI(), **settings)
    similarity = attack(x, trace=True).trace["similarity"]
    assert np.all(sign * np.diff(similarity, axis=0) > 0.0)


def test_compiled_critics_find_the_same_examples(x):
    keras.utils.set_random_seed(0)
    parts = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    model = keras.Sequential([keras.Input((6, 6, 1)), *parts])
    images = np.random.default_rng(0).random((5, 6, 6, 1), dtype=np.float32)
    results = [
        MinMaxAttack(
            Reconstruction(model), MINE(**MINE_SMALL, jit_compile=compiled), **SMALL
        )(images)
        for compiled in (True, False)
    ]
    np.testing.assert_allclose(results[0].examples, results[1].examples, atol=1e-4)
    np.testing.assert_allclose(results[0].similarity, results[1].similarity, atol=1e-4)


def mine_without_xla():
    return MINE(**MINE_SMALL, jit_compile=False)


class Shared(keras.Model):
    """Calls its convolution a number of times in one forward pass."""

    def __init__(self, calls):
        super().__init__(name="shared")
        self.convolution = layers.Conv2D(2, 3, padding="same", activation="tanh")
        self.dense = layers.Dense(2)
        self.calls = calls

    def call(self, x):
        for _ in range(self.calls):
            x = self.convolution(x)
        return self.dense(x)


@pytest.mark.parametrize("calls", [1, 3])
def test_a_shared_convolution_is_seen_at_its_first_call(calls):
    model = Shared(calls)
    images = np.random.default_rng(0).random((4, 5, 5, 2), dtype=np.float32)
    model(images)
    attack = MinMaxAttack(Reconstruction(model), mine_without_xla(), **SMALL)
    result = attack(images)
    assert np.isfinite(result.similarity).all()


def test_a_convolution_that_is_never_called():
    model = Shared(0)
    images = np.random.default_rng(0).random((4, 5, 5, 2), dtype=np.float32)
    model.convolution.build(images.shape)
    model(images)
    attack = MinMaxAttack(Reconstruction(model), mine_without_xla(), **SMALL)
    with pytest.raises(ValueError, match=r"looks at the layer 'conv.*does not call"):
        attack(images)


class Compiled(Shared):
    """Compiles its call itself."""

    @tf.function
    def call(self, x):
        return super().call(x)


class Halves(Shared):
    """Takes the two halves of an image for two images."""

    def call(self, x):
        halves = tf.reshape(x, (-1, 2, *x.shape[2:]))
        return tf.reshape(super().call(halves), (-1, *x.shape[1:]))


@pytest.mark.parametrize("kind", [Compiled, Halves])
@pytest.mark.parametrize("is_traced_before", [False, True])
def test_a_convolution_that_cannot_be_looked_at(kind, is_traced_before):
    images = np.random.default_rng(0).random((3, 4, 5, 2), dtype=np.float32)
    model = kind(1)
    model(images[: None if is_traced_before else 1])
    attack = MinMaxAttack(Reconstruction(model), mine_without_xla(), **SMALL)
    message = r"with one row per sample, or calls inside a tf.function.*compressive"
    with pytest.raises(ValueError, match=message):
        attack(images)
    attack = MinMaxAttack(Reconstruction(model), GaussianMI(), **SMALL)
    assert np.isfinite(attack(images).similarity).all()


def test_less_weight_on_the_similarity_leaves_more_of_it(criterion, x):
    results = [
        MinMaxAttack(criterion, GaussianMI(), similarity_weight=weight, steps=20)(x)
        for weight in (0.0, 1.0)
    ]
    assert results[0].similarity.mean() > results[1].similarity.mean()


def test_the_l2_baseline_keeps_the_largest_distance(model, x):
    attack = MinMaxAttack(Reconstruction(model), L2Similarity(), steps=15)
    result = attack(x, trace=True)
    clean = np.linalg.norm(x - model(x, training=False).numpy(), axis=1)
    distance = np.linalg.norm(
        x - model(result.examples, training=False).numpy(), axis=1
    )
    np.testing.assert_allclose(result.similarity, -distance, atol=1e-5)
    assert np.all(distance[result.success] <= clean[result.success] + 1e-5)
