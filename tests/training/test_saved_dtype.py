"""What a file says of the dtype policy a training was made in."""

import keras
import numpy as np
import pytest

import uae_tf
from uae_tf import models
from uae_tf.models.scopes import default_dtype

X = np.random.default_rng(0).random((8, 6)).astype("float32")
Y = np.arange(8) % 2


def few_labels():
    return uae_tf.VirtualAdversarialTraining(
        models.DenseClassifier((6,), 2, (4,)), xi=0.1
    )


def game():
    return uae_tf.AdversarialGeneratorTraining(
        models.DenseClassifier((6,), 2, (4,)), generator()
    )


def generator():
    return models.AdversarialExampleGenerator.dense((6,), (4,), 4, 2)


def contrastive():
    inputs = keras.Input((4, 4, 3))
    flat = keras.layers.Flatten()(inputs)
    return models.SimCLR(keras.Model(inputs, keras.layers.Dense(4)(flat)), seed=0)


def fit(model):
    if isinstance(model, models.SimCLR):
        model.compile("adam", jit_compile=False)
        model.fit(np.ones((4, 4, 4, 3), "float32"), batch_size=4, verbose=0)
    elif isinstance(model, models.AdversarialExampleGenerator):
        model.compile("adam", "mse", jit_compile=False)
        model.fit(X, X, verbose=0)
    else:
        model.compile("adam")
        model.fit(uae_tf.SemiSupervisedDataset(X, Y, X), verbose=0)


@pytest.mark.parametrize("make", [few_labels, game, generator, contrastive])
def test_a_training_in_half_precision_goes_on_in_it(make, tmp_path):
    with default_dtype("mixed_float16"):
        model = make()
        fit(model)
    model.save(tmp_path / "model.keras")
    # Keras warns, here an error, where the optimizer's variables are others.
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.dtype_policy == model.dtype_policy
    assert isinstance(again.optimizer, keras.optimizers.LossScaleOptimizer)
    for old, new in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(new, old)
    config = model.get_config()
    del config["dtype"]
    assert type(model).from_config(config).dtype_policy.name == "float32"
