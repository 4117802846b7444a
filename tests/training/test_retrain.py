import gc
import math
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import models
from uae_tf.training import retrain
from uae_tf.training.pipeline import counted_batches

X = np.random.default_rng(0).random((50, 6)).astype("float32")


def autoencoder():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(6),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    return model


class Counting(keras.Model):
    """Has a `train_step` of its own; counts updates and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(6)
        kind = {"initializer": "zeros", "trainable": False}
        self.seen_inputs = self.add_weight(shape=(), name="inputs", **kind)
        self.seen_targets = self.add_weight(shape=(), name="targets", **kind)
        self.rows = self.add_weight(shape=(), name="rows", **kind)
        self.steps = self.add_weight(shape=(), name="steps", **kind)

    def call(self, x):
        return self.dense(x)

    def train_step(self, batch):
        self.seen_inputs.assign_add(keras.ops.sum(batch[0]))
        self.seen_targets.assign_add(keras.ops.sum(batch[1]))
        self.rows.assign_add(keras.ops.cast(keras.ops.shape(batch[0])[0], "float32"))
        self.steps.assign_add(1.0)
        return {"loss": keras.ops.mean(batch[0])}


def counting():
    model = Counting()
    model(X[:1])
    model.compile("sgd")
    return model


@pytest.mark.parametrize(("updates", "rows"), [(1, 50), (7, 100), (60, 50), (101, 100)])
def test_makes_the_updates_it_was_asked_for(updates, rows):
    x = np.concatenate([X] * (rows // 50))
    trained = retrain(autoencoder, x, updates=updates, batch_size=16)
    assert trained.updates == updates
    assert int(trained.model.optimizer.iterations) == updates


@pytest.mark.parametrize("steps_per_epoch", [1, 29, 60])
def test_any_division_into_epochs(steps_per_epoch):
    trained = retrain(
        autoencoder, X, updates=59, batch_size=16, steps_per_epoch=steps_per_epoch
    )
    assert int(trained.model.optimizer.iterations) == 59
    assert len(trained.history["loss"]) == math.ceil(59 / steps_per_epoch)


def test_every_pass_shows_every_row_once():
    trained = retrain(counting, X, updates=8, batch_size=16)
    assert float(trained.model.rows) == 100
    np.testing.assert_allclose(float(trained.model.seen_inputs), 2 * X.sum(), rtol=1e-5)
    assert float(trained.model.steps) == 8


def test_nothing_is_left_to_autotuning():
    """Its thread outlives a training, and the removal of an iterator waits for it."""
    first = tf.Variable(0, dtype=tf.int64)
    batches = counted_batches((X,), 10, 4, 0, first)
    assert batches.options().autotune.enabled is False


def test_separate_targets():
    noisy = X + 1
    model = retrain(
        counting, noisy, x_target=X, target="clean", updates=4, batch_size=16
    ).model
    np.testing.assert_allclose(float(model.seen_inputs), noisy.sum(), rtol=1e-5)
    np.testing.assert_allclose(float(model.seen_targets), X.sum(), rtol=1e-5)


def test_labels_and_weights_reach_the_loss():
    def classifier():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
        return model

    labels = np.arange(50) % 2
    untouched = retrain(
        classifier, X, labels, updates=5, sample_weight=np.zeros(50), seed=1
    )
    keras.utils.set_random_seed(1)
    for got, initial in zip(
        untouched.model.get_weights(), classifier().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(got, initial)


def test_weights_of_images_are_those_of_samples():
    images = np.random.default_rng(0).random((12, 4, 4, 1))
    found = []
    # As many rows in a batch as an image has columns.
    for x in (images, images.reshape(12, 16)):
        trained = retrain(
            lambda x=x: models.build("dense", x.shape[1:], "modern", latent_dim=3),
            x,
            updates=6,
            batch_size=4,
            sample_weight=np.arange(12),
        )
        found.append(trained.model.get_weights())
    for image, vector in zip(*found, strict=True):
        np.testing.assert_allclose(image, vector, atol=1e-5)


def test_a_seed_gives_the_same_weights_again():
    runs = [
        retrain(autoencoder, X, updates=30, batch_size=16, seed=seed).model
        for seed in (4, 4, 5)
    ]
    first, again, other = (run.get_weights()[0] for run in runs)
    np.testing.assert_allclose(first, again, rtol=1e-6)
    assert np.abs(first - other).max() > 1e-2


def test_history_validation_and_progress():
    told = []
    trained = retrain(
        autoencoder,
        X,
        updates=200,
        batch_size=16,
        x_validation=X,
        progress=lambda done, total: told.append((done, total)),
    )
    assert len(trained.history["val_loss"]) == 20
    assert trained.history["val_loss"][-1] < trained.history["val_loss"][0]
    assert told[-1] == (200, 200)
    assert told == sorted(told)


def test_callbacks_are_called_and_may_stop():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    trained = retrain(
        autoencoder, X, updates=100, steps_per_epoch=10, callbacks=[Stop()]
    )
    assert trained.updates == 30


def test_the_model_is_an_ordinary_one_afterwards():
    model = retrain(autoencoder, X, updates=50).model
    assert model.steps_per_execution == 1
    history = model.fit(X, X, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3
    assert model.predict(X, verbose=0).shape == X.shape


@pytest.mark.parametrize(("limit", "is_freed"), [(0, True), (2**40, False)])
def test_large_data_are_freed_at_once(monkeypatch, limit, is_freed):
    monkeypatch.setattr(sys.modules[retrain.__module__], "_LARGE", limit)
    gc.collect()
    before = count_pipelines()
    gc.disable()
    try:
        trained = retrain(autoencoder, X, updates=4)
        after = count_pipelines()
    finally:
        gc.enable()
    assert trained.updates == 4
    # Small data are left to Python. Were they freed as well, nothing need be collected.
    assert (after == before) == is_freed


def count_pipelines():
    kinds = [type(thing).__mro__ for thing in gc.get_objects()]
    return sum(tf.data.Dataset in kind for kind in kinds)


def test_resumed_by_backup_and_restore(tmp_path):
    class Crash(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("crash")

    def callbacks(*more):
        return [keras.callbacks.BackupAndRestore(tmp_path / "backup"), *more]

    settings = {"updates": 55, "steps_per_epoch": 10}
    with pytest.raises(RuntimeError, match="crash"):
        retrain(autoencoder, X, callbacks=callbacks(Crash()), **settings)
    model = retrain(autoencoder, X, callbacks=callbacks(), **settings).model
    assert int(model.optimizer.iterations) == 55
    straight = retrain(autoencoder, X, **settings).model
    for got, expected in zip(model.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
    assert len(model.fit(X, X, epochs=2, verbose=0).epoch) == 2


@pytest.mark.parametrize("kind", ["collected", "skipped"])
def test_resumed_where_batches_are_no_updates(kind, tmp_path):
    def factory():
        optimizer = keras.optimizers.SGD(
            0.1, gradient_accumulation_steps=2 if kind == "collected" else None
        )
        if kind == "skipped":
            # Overflows, and halves its scale, a few times.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, 2.0**20)
        policy = "mixed_float16" if kind == "skipped" else "float32"
        inputs = keras.Input((6,))
        outputs = keras.layers.Dense(6, dtype=policy)(inputs)
        model = keras.Model(inputs, outputs)
        model.compile(optimizer, "mse")
        return model

    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise RuntimeError("crash")

    def callbacks(*more):
        return [keras.callbacks.BackupAndRestore(tmp_path / "backup"), *more]

    settings = {"updates": 20, "batch_size": 8, "steps_per_epoch": 4}
    straight = retrain(factory, X, **settings).model
    assert 0 < int(straight.optimizer.iterations) < 20
    with pytest.raises(RuntimeError, match="crash"):
        retrain(factory, X, callbacks=callbacks(Crash()), **settings)
    resumed = retrain(factory, X, callbacks=callbacks(), **settings)
    assert resumed.updates == 20
    for got, expected in zip(
        resumed.model.get_weights(), straight.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


SHARED = autoencoder()
SHARED.train_on_batch(X, X)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"updates": 0}, ValueError, "`updates` must be a whole number of at least 1"),
        ({"updates": 10.0}, ValueError, "`updates` must be a whole number"),
        ({"x": X[:0]}, ValueError, "`x` must be an array"),
        ({"y": X[:3]}, ValueError, "`y` must have one row per sample: expected 50"),
        ({"target": "clean"}, ValueError, "`x_target` must be given with"),
        ({"target": "pair"}, ValueError, "`target` must be one of.*pair"),
        ({"x_target": X}, ValueError, "`x_target` must be given with"),
        ({"target": "clean", "y": X}, ValueError, "Leave out one of the two"),
        ({"x_target": X[:4], "target": "clean"}, ValueError, "`x_target` must have"),
        ({"x_validation": X[:, :2]}, ValueError, r"samples of shape \(6,\).*\(50, 2\)"),
        ({"y_validation": X}, ValueError, "`y_validation` needs `x_validation`"),
        ({"steps_per_epoch": 0}, ValueError, "`steps_per_epoch` must be"),
        ({"model_factory": lambda: None}, TypeError, "must return a Keras model"),
        (
            {"model_factory": lambda: keras.Sequential(name="raw")},
            ValueError,
            "compiled model. Received 'raw'",
        ),
        ({"model_factory": lambda: SHARED}, ValueError, "an untrained model.*1 update"),
    ],
)
def test_bad_arguments(arguments, error, message):
    settings = {"model_factory": autoencoder, "x": X, "updates": 3, **arguments}
    with pytest.raises(error, match=message):
        retrain(**settings)
