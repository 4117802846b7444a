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


def test_evaluation_sees_new_weights(model, x):
    criterion = Reconstruction(model)
    before, _ = criterion.evaluate(x, x + 0.1)
    model.set_weights([2.0 * w for w in model.get_weights()])
    after, _ = criterion.evaluate(x, x + 0.1)
    assert np.all(before != after)


def test_a_criterion_without_loss_says_so(model):
    with pytest.raises(NotImplementedError, match="Criterion must override `loss`"):
        Criterion(model).loss(None, {})
