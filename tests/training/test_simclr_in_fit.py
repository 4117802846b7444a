import keras
import numpy as np
import pytest

from uae_tf.attacks import GaussianNoise
from uae_tf.models import SimCLR
from uae_tf.training import AugmentedDataset, UAECallback

IMAGES = np.random.default_rng(0).random((16, 8, 8, 3)).astype("float32")


def small_simclr(**settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    encoder = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    model = SimCLR(encoder, seed=0, **settings)
    # Eager: a trace would take longer than all steps.
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    return model


@pytest.mark.parametrize("target", ["self", "pair"])
@pytest.mark.parametrize("is_tf_data", [False, True])
def test_the_callback_regenerates_examples_while_simclr_is_fit(target, is_tf_data):
    seen = []

    class Recording(keras.layers.Layer):
        def call(self, images, training=False):
            seen.append(np.array(images))
            return images

    model = small_simclr(augment=Recording())
    data = AugmentedDataset(IMAGES, batch_size=16, target=target)
    callback = UAECallback(data, GaussianNoise(0.05), phase_epochs=1, verbose=0)
    served = data.as_tf_data() if is_tf_data else data
    history = model.fit(
        served, epochs=3, callbacks=[callback], verbose=0, shuffle=False
    ).history
    assert [record.epoch for record in callback.history] == [1, 2]
    assert callback.history[-1].success_rate == 1.0
    assert np.isfinite(history["loss"]).all()
    # Two views a step, 2 steps of 16 images an epoch: what the last epoch showed.
    first, second = (np.concatenate(seen[8 + half :: 2]) for half in (0, 1))
    clean, noisy = (
        {image.tobytes() for image in images} for images in (data.x, data.examples[0])
    )
    assert {image.tobytes() for image in second} == clean | noisy
    if target == "self":
        np.testing.assert_array_equal(first, second)
    else:
        assert {image.tobytes() for image in first} == clean
        # The noise is small: a pair is one image and its own example.
        assert 0 < np.abs(first - second).max(axis=(1, 2, 3)).max() < 0.5


def test_pairs_train_two_sets_of_batch_norm():
    model = small_simclr(separate_batch_norm=True)
    before = model.adversarial_encoder.get_weights()
    data = AugmentedDataset(IMAGES, batch_size=16, target="pair")
    model.fit(data, epochs=1, verbose=0)
    moved = [
        np.abs(old - new).max() > 0
        for old, new in zip(
            before, model.adversarial_encoder.get_weights(), strict=True
        )
    ]
    assert all(moved)


class Stopped(Exception):
    pass


def test_a_run_resumed_by_backup_and_restore_ends_as_a_straight_one(tmp_path):
    def trained(stop_at=None):
        def stop(epoch, logs):
            if epoch == stop_at:
                raise Stopped

        model = small_simclr()
        callbacks = [
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            keras.callbacks.LambdaCallback(on_epoch_end=stop),
        ]
        data = AugmentedDataset(IMAGES, batch_size=32, shuffle=False)
        model.fit(data, epochs=3, callbacks=callbacks, verbose=0)
        return model

    straight = trained()
    with pytest.raises(Stopped):
        trained(stop_at=1)
    resumed = trained()
    assert int(resumed.optimizer.iterations) == 3
    for expected, got in zip(
        straight.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
