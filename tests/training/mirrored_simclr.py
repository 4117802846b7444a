"""Trains SimCLR on two logical CPU devices and on one; prints what a test reads."""

import json

import keras
import numpy as np
import tensorflow as tf

from uae_tf.losses import NTXent
from uae_tf.models import SimCLR
from uae_tf.models.layers import batch_norm

SHAPE = (8, 8, 3)


def trained(images):
    """Weights before an epoch, the model after it, and the epoch's numbers."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs)
    x = keras.layers.ReLU()(batch_norm("norm")(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = SimCLR(keras.Model(inputs, x), seed=0)
    # Small steps: the gradient is in the hundreds, and float32 has seven digits.
    model.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    start = model.get_weights()
    history = model.fit(images, batch_size=8, epochs=1, shuffle=False, verbose=0)
    return start, model, {name: values[0] for name, values in history.history.items()}


def loss_and_gradient(strategy, z_a, z_b):
    """NT-Xent over the replicas, and its gradient for all rows in order."""

    @tf.function
    def on_all(z_a, z_b):
        def on_one(z_a, z_b):
            with tf.GradientTape() as tape:
                tape.watch((z_a, z_b))
                loss = NTXent()(z_a, z_b)
            return loss, tape.gradient(loss, (z_a, z_b))

        return strategy.run(on_one, (z_a, z_b))

    parts = 2 if strategy.num_replicas_in_sync == 2 else 1
    shared = [
        strategy.experimental_distribute_values_from_function(
            lambda context, z=z: tf.split(z, parts)[context.replica_id_in_sync_group]
        )
        for z in (z_a, z_b)
    ]
    loss, gradients = on_all(*shared)
    # A loss is divided by the number of replicas, so their sum is the mean.
    total = strategy.reduce("SUM", loss, axis=None)
    rows = [tf.concat(strategy.experimental_local_results(g), 0) for g in gradients]
    return float(total), np.concatenate(rows)


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    rng = np.random.default_rng(0)
    z_a, z_b = rng.normal(size=(2, 6, 5)).astype("float32")
    losses, gradients = zip(
        *(loss_and_gradient(strategy, z_a, z_b) for strategy in (one, two)),
        strict=True,
    )
    images = rng.random((16, *SHAPE)).astype("float32")
    start, straight, numbers = trained(images)
    with two.scope():
        _, mirrored, mirrored_numbers = trained(images)
    moved = [
        float(np.abs(a - b).max())
        for a, b in zip(start, straight.get_weights(), strict=True)
    ]
    weights = [
        float(np.abs(a - b).max())
        for a, b in zip(straight.get_weights(), mirrored.get_weights(), strict=True)
    ]
    norm = mirrored.encoder.get_layer("norm")
    print(
        json.dumps(
            {
                "losses": losses,
                "gradient_difference": float(np.abs(gradients[0] - gradients[1]).max()),
                "gradient": float(np.abs(gradients[0]).max()),
                "numbers": numbers,
                "mirrored_numbers": mirrored_numbers,
                "moved": max(moved),
                "weight_difference": max(weights),
                "synchronized": norm.synchronized,
            }
        )
    )


if __name__ == "__main__":
    main()
