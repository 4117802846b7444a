"""Trains an adversarial autoencoder on one and on two logical CPU devices."""

import json

import keras
import numpy as np
import tensorflow as tf

from uae_tf.models import AdversarialAutoencoder

SAMPLES = 2048


def train(strategy, x, discriminator_rate):
    """The logs, the encoder after two full batches, and how far the rest moved."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = AdversarialAutoencoder((6,), latent_dim=2, hidden_units=8, seed=1)
        model.compile(
            keras.optimizers.SGD(0.5),
            "mse",
            discriminator_optimizer=keras.optimizers.SGD(discriminator_rate),
        )
    before = [weight.numpy() for weight in model.discriminator.weights]
    settings = {"batch_size": SAMPLES, "verbose": 0}
    history = model.fit(x, epochs=2, shuffle=False, **settings).history
    after = [weight.numpy() for weight in model.discriminator.weights]
    return {
        "logs": {name: values[-1] for name, values in history.items()},
        "evaluated": model.evaluate(x, return_dict=True, **settings),
        "encoder": [weight.numpy().tolist() for weight in model.encoder.weights],
        "moved": float(sum(map(_distance, before, after))),
    }


def _distance(a, b):
    return np.abs(a - b).sum()


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    x = np.random.default_rng(0).random((SAMPLES, 6), dtype=np.float32)
    strategies = {
        "one": tf.distribute.OneDeviceStrategy("CPU:0"),
        "two": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    }
    report = {}
    for name, strategy in strategies.items():
        # A discriminator learns from random samples, which every device draws for
        # itself: only where it stands still are the encoders equal to the last digits.
        still, moving = (train(strategy, x, rate) for rate in (0.0, 0.5))
        report[name] = {**still, "moved": moving["moved"]}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
