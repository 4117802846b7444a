import keras
import numpy as np
import pytest
from keras import layers, ops

from uae_tf.models import check_logits


def functional(outputs_of):
    inputs = keras.Input((4,))
    return keras.Model(inputs, outputs_of(inputs))


class Gated(keras.Model):
    """Lists its gate last, and ends in a product."""

    def __init__(self):
        super().__init__()
        self.out, self.gate = layers.Dense(3), layers.Dense(3, "sigmoid")

    def call(self, inputs):
        return self.out(inputs) * self.gate(inputs)


def subclassed():
    model = Gated()
    model(np.zeros((1, 4), "float32"))
    return model


def softmax(inputs):
    return layers.Dense(3, "softmax")(inputs)


@pytest.mark.parametrize(
    "make",
    [
        subclassed,
        lambda: functional(
            lambda x: layers.Dense(3)(x) * layers.Dense(3, "sigmoid")(x)
        ),
        lambda: functional(lambda x: ops.relu(layers.Dense(3)(softmax(x)))),
        lambda: keras.Sequential([functional(softmax), layers.Dense(3, "linear")]),
    ],
    ids=["subclassed", "gate", "operation", "nested"],
)
def test_a_softmax_elsewhere_than_at_the_end_is_none(make):
    model = make()
    assert check_logits(model, (4,)) == 3


@pytest.mark.parametrize(
    "end",
    [
        lambda x: layers.Activation("linear", dtype="float32")(softmax(x)),
        lambda x: layers.Dropout(0.1)(layers.Reshape((3,))(softmax(x))),
        lambda x: ops.softmax(layers.Dense(3)(x)),
        lambda x: ops.cast(layers.Softmax()(layers.Dense(3)(x)), "float16"),
        lambda x: functional(softmax)(x),
        lambda x: keras.Sequential([layers.Dense(4), functional(softmax)])(x),
    ],
    ids=["linear", "passing", "operation", "cast", "nested", "sequential"],
)
def test_a_softmax_at_the_end_is_found(end):
    with pytest.raises(ValueError, match="ends in a softmax"):
        check_logits(functional(end), (4,))
