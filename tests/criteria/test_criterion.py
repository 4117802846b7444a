"""The interface of criteria: checks, independent evaluation, configuration."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from uae_tf import Reconstruction
from uae_tf.criteria import Criterion


class Margin(Criterion):
    """A criterion that needs labels."""

    maximizes_similarity = True
    needs_labels = True

    def loss(self, outputs, context):
        return tf.gather(outputs, context["y"], axis=1, batch_dims=1)


class Noisy(layers.Layer):
    """Adds noise whatever `training` is, as a variational autoencoder's code does."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(7)

    def call(self, x):
        self.add_loss(tf.reduce_mean(x))
        return x + 0.5 * keras.random.normal(keras.ops.shape(x), seed=self.generator)


class Losses(Criterion):
    """A loss of any shape, from a function of outputs and x."""

    def __init__(self, model, function):
        super().__init__(model)
        self.function = function

    def loss(self, outputs, context):
        return self.function(context["x"], outputs)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((5,)), layers.Dense(5)], name="small")


@pytest.fixture
def x(generator):
    return generator.random((7, 5), dtype=np.float32)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize("model", [None, "model", lambda x: x])
def test_model_must_be_a_keras_model(model):
    with pytest.raises(TypeError, match=r"`model` must be a keras.Model. Received"):
        Reconstruction(model)


def test_unbuilt_models_are_refused(x):
    model = keras.Sequential([layers.Dense(5)], name="unbuilt")
    with pytest.raises(ValueError, match=r"'unbuilt' is not built.*Call it once"):
        Reconstruction(model).check(x, None)


def test_samples_must_fit_the_model(model, generator):
    message = r"`x` does not fit the model 'small'.*\(5,\).*\(2, 6\)"
    with pytest.raises(ValueError, match=message):
        Reconstruction(model).check(generator.random((2, 6)), None)
    with pytest.raises(ValueError, match=r"does not fit"):
        Reconstruction(model).check(generator.random((2, 5, 1)), None)


def test_labels_are_asked_for(model, x):
    with pytest.raises(ValueError, match=r"Margin compares outputs with labels.*`y`"):
        Margin(model).check(x, None)


def test_labels_reach_the_loss(model, x, generator):
    y = np.array([0, 1, 2, 3, 4, 0, 1])
    examples = x + 0.1
    f, baseline = Margin(model, kappa=0.5).evaluate(x, examples, y, batch_size=3)
    rows = np.arange(7)
    clean, moved = (model(s).numpy()[rows, y] for s in (x, examples))
    np.testing.assert_allclose(baseline, clean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(f, moved - clean + 0.5, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_padding_does_not_matter(model, x, batch_size):
    criterion = Reconstruction(model)
    expected = criterion.evaluate(x, x[::-1])
    received = criterion.evaluate(x, x[::-1], batch_size=batch_size)
    for ours, theirs in zip(received, expected, strict=True):
        assert ours.shape == (7,)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_evaluation_takes_double_precision(model, x):
    criterion = Reconstruction(model)
    received = criterion.evaluate(x.astype(np.float64), x + 0.1)
    np.testing.assert_allclose(received, criterion.evaluate(x, x + 0.1), rtol=1e-5)


@pytest.mark.parametrize("count", [0, 3])
def test_evaluation_needs_pairs(model, x, count):
    message = rf"`x` and `examples`.*examples of shape \({count}, 5\)"
    with pytest.raises(ValueError, match=message):
        Reconstruction(model).evaluate(x[: 0 if count == 0 else None], x[:count])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_evaluation_needs_a_label_for_each_sample(model, x, count):
    message = rf"`x` and `y` must have the same length.*7 samples.*\({count},\)"
    with pytest.raises(ValueError, match=message):
        Margin(model).evaluate(x, x, np.zeros(count, int))


def test_what_a_model_draws_is_the_same_for_both_samples(x):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(5), Noisy()])
    criterion, noise = Reconstruction(model), model.layers[-1].generator
    before = noise.state.numpy()
    f, baseline = criterion.evaluate(x, x)
    np.testing.assert_array_equal(f, 0.0)
    np.testing.assert_array_equal(criterion.evaluate(x, x + 0.1)[1], baseline)
    # Nothing is left in the model: neither seed nor losses of a graph that is gone.
    np.testing.assert_array_equal(noise.state.numpy(), before)
    assert float(sum(model.losses)) == 0.0
    assert np.any(model(x) != model(x))


def test_whole_numbers_as_input_are_refused(x):
    inputs = keras.Input((5,), dtype="uint8")
    model = keras.Model(inputs, layers.Dense(5)(layers.Rescaling(1 / 255)(inputs)))
    with pytest.raises(ValueError, match=r"takes uint8.*lose their fractions"):
        Reconstruction(model).evaluate(x, x)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x, y: tf.reduce_mean((x - y) ** 2), r"\(\)"),
        (lambda x, y: tf.reduce_sum((x - y) ** 2, axis=1, keepdims=True), r"\(7, 1\)"),
        (lambda x, y: (x - y) ** 2, r"\(7, 5\)"),
    ],
)
def test_a_loss_that_is_not_one_number_per_sample(model, x, function, shape):
    message = rf"Losses.loss must return one number per sample.*shape {shape}"
    with pytest.raises(ValueError, match=message):
        Losses(model, function).evaluate(x, x)


def test_evaluation_sees_new_weights(model, x):
    criterion = Reconstruction(model)
    before, _ = criterion.evaluate(x, x + 0.1)
    model.set_weights([2.0 * w for w in model.get_weights()])
    after, _ = criterion.evaluate(x, x + 0.1)
    assert np.all(before != after)


def test_a_setting_that_is_compiled_is_not_changed_in_vain(model, x):
    criterion = Reconstruction(model)
    criterion.kappa = 0.5
    f, _ = criterion.evaluate(x, x)
    np.testing.assert_allclose(f, 0.5, atol=1e-6)
    for name in ("kappa", "norm", "model"):
        with pytest.raises(AttributeError, match=f"`{name}`.* another Reconstruction"):
            setattr(criterion, name, getattr(criterion, name))
    criterion.note = "no setting"


def test_a_criterion_without_loss_says_so(model):
    with pytest.raises(NotImplementedError, match="Criterion must override `loss`"):
        Criterion(model).loss(None, {})
