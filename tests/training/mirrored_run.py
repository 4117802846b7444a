"""Trains with the callback on two logical CPU devices; prints what a test reads."""

import json

import keras
import numpy as np
import tensorflow as tf

from uae_tf.attacks import MinMaxAttack
from uae_tf.criteria import Reconstruction
from uae_tf.training import AugmentedDataset, UAECallback, retrain


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((30, 6)).astype("float32")

    def factory():
        with strategy.scope():
            inputs = keras.Input((6,))
            h = keras.layers.Dropout(0.1)(keras.layers.Dense(4, "relu")(inputs))
            model = keras.Model(inputs, keras.layers.Dense(6, "sigmoid")(h))
            model.compile(keras.optimizers.Adam(1e-2), "mse")
        return model

    model = factory()
    data = AugmentedDataset(x, batch_size=16)
    attack = MinMaxAttack(Reconstruction(model, kappa=-0.1), None, steps=3)
    callback = UAECallback(data, attack, phase_epochs=2, verbose=0)
    history = model.fit(data, epochs=6, callbacks=[callback], verbose=0).history
    retrained = retrain(factory, x, updates=7, batch_size=16).model
    print(
        json.dumps(
            {
                "epochs": [record.epoch for record in callback.history],
                "success": [record.success_rate for record in callback.history],
                "loss": history["loss"],
                "updates": int(model.optimizer.iterations.numpy()),
                "retrained": int(retrained.optimizer.iterations.numpy()),
                "traces": attack.num_traces,
                "replicas": strategy.num_replicas_in_sync,
            }
        )
    )


if __name__ == "__main__":
    main()
