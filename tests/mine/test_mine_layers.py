"""Finding the first convolution, and looking at what a layer returns."""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf.mine import first_convolution, observe, observed_call


class Block(layers.Layer):
    """A layer made of layers."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)
        self.first = layers.Conv2D(4, 3, padding="same", name="inside_block")
        self.second = layers.Conv2D(5, 3, padding="same")

    def call(self, x):
        return self.second(self.first(self.dense(x)))


class Subclassed(keras.Model):
    def __init__(self, *parts):
        super().__init__()
        self.parts = list(parts)

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def sequential(*parts, shape=(6, 6, 2)):
    return keras.Sequential([keras.Input(shape), *parts])


def functional(*parts, shape=(6, 6, 2)):
    inputs = x = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def subclassed(*parts, shape=(6, 6, 2)):
    model = Subclassed(*parts)
    model(np.zeros((1, *shape), "float32"))
    return model


def nested(*parts, shape=(6, 6, 2)):
    return sequential(layers.Activation("linear"), functional(*parts, shape=shape))


BUILDERS = [sequential, functional, subclassed, nested]


def convolution(filters=4, **settings):
    return layers.Conv2D(filters, 3, padding="same", **settings)


@pytest.fixture(params=BUILDERS, ids=lambda build: build.__name__)
def build(request):
    return request.param


def test_the_first_of_several(build):
    first = convolution()
    assert first_convolution(build(layers.Dense(3), first, convolution())) is first


def test_none(build):
    assert first_convolution(build(layers.Dense(3), layers.Flatten())) is None


def test_inside_a_layer_made_of_layers(build):
    model = build(Block(), convolution())
    assert first_convolution(model).name == "inside_block"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(2, 3), (8, 2)),
        (layers.Conv3D(2, 2), (4, 4, 4, 1)),
        (layers.SeparableConv1D(2, 3), (8, 2)),
        (layers.SeparableConv2D(2, 3), (6, 6, 2)),
    ],
)
def test_kinds_of_convolutions(layer, shape):
    assert first_convolution(sequential(layer, shape=shape)) is layer


def test_wrappers_are_not_looked_into():
    wrapped = layers.TimeDistributed(layers.Conv2D(2, 3))
    assert first_convolution(sequential(wrapped, shape=(3, 6, 6, 2))) is None


def test_observe_records_the_output_once(build):
    layer = convolution(activation="relu")
    model = build(layer, layers.Dense(2))
    x = np.random.default_rng(0).random((3, 6, 6, 2), dtype=np.float32)
    with observe(layer) as recorded:
        outputs = model(x, training=False)
    assert len(recorded) == 1
    np.testing.assert_array_equal(recorded[0], layer(x))
    np.testing.assert_array_equal(outputs, model(x, training=False))


def test_observe_leaves_no_trace(build):
    layer = convolution()
    model = build(layer)
    x = np.zeros((1, 6, 6, 2), "float32")
    weights = len(model.weights)
    with pytest.raises(RuntimeError), observe(layer) as recorded:
        raise RuntimeError
    assert "call" not in layer.__dict__
    model(x)
    assert recorded == []
    assert len(model.weights) == weights


def test_of_a_layer_called_twice_the_first_call_is_looked_at():
    layer = convolution(filters=2)
    model = subclassed(layer, layer)
    x = np.random.default_rng(0).random((3, 6, 6, 2), dtype=np.float32)
    outputs, observed = observed_call(model, x, layer)
    np.testing.assert_array_equal(observed, layer(x))
    np.testing.assert_array_equal(outputs, layer(observed))


def test_observers_of_one_layer_nest():
    layer = convolution()
    model = sequential(layer)
    x = np.zeros((1, 6, 6, 2), "float32")
    with observe(layer) as outer:
        with observe(layer) as inner:
            model(x)
        model(x)
    assert (len(outer), len(inner)) == (2, 1)
    assert "call" not in layer.__dict__


def test_nothing_to_observe():
    with observe(None) as recorded:
        pass
    assert recorded == []
