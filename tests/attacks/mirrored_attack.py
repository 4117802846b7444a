"""Attacks on one and on three logical CPU devices; prints the largest differences."""

import json

import keras
import numpy as np
import tensorflow as tf

from uae_tf import MINE, GaussianMI, MinMaxAttack, Reconstruction


def build():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 3
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"])
    x = np.random.default_rng(0).random((10, 6, 6, 1)).astype(np.float32)
    report = {}
    # XLA rounds a batch of 3 otherwise than one of 7, on one device as well, and a
    # critic's training makes 2e-3 of it: without XLA it is the devices one sees.
    mine = MINE(inner_steps=3, jit_compile=False)
    similarities = {"gaussian": GaussianMI(), "mine": mine}
    for name, similarity in similarities.items():
        one = MinMaxAttack(Reconstruction(build()), similarity, steps=5)
        expected = one(x, batch_size=7, trace=True)
        with strategy.scope():
            many = MinMaxAttack(Reconstruction(build()), similarity, steps=5)
            # Traced once on each device that has a part of the batch.
            perturb, devices = many.perturb, []
            many.perturb = lambda *a, p=perturb, d=devices: d.append(0) or p(*a)
            found = many(x, batch_size=7, trace=True)
        numbers = ("examples", "similarity", "criterion", "l2", "linf")
        report[name] = {
            "differences": {
                n: float(np.abs(getattr(found, n) - getattr(expected, n)).max())
                for n in numbers
            },
            "trace": max(
                float(np.abs(found.trace[n] - expected.trace[n]).max())
                for n in expected.trace
            ),
            "same_success": bool((found.success == expected.success).all()),
            "traces": many.num_traces,
            "devices": len(devices),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
