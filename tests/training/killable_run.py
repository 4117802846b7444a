"""Trains with the callback and saves the weights; may kill itself on the way.

Usage: killable_run.py FOLDER RESULT [EPOCH]; with EPOCH it dies in its second batch.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from uae_tf.attacks import MinMaxAttack
from uae_tf.criteria import Reconstruction
from uae_tf.training import AugmentedDataset, UAECallback


class Kill(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch
        self.now = -1

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, result, kill_epoch):
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((40, 8, 8, 1)).astype("float32")
    inputs = keras.Input((8, 8, 1))
    h = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    h = keras.layers.BatchNormalization()(keras.layers.Dropout(0.2)(h))
    outputs = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    data = AugmentedDataset(x, batch_size=16)
    attack = MinMaxAttack(Reconstruction(model, kappa=-0.1), None, steps=3)
    callbacks = [
        keras.callbacks.BackupAndRestore(Path(folder) / "backup"),
        UAECallback(data, attack, 2, 1, state_path=Path(folder) / "uae.json"),
        Kill(kill_epoch),
    ]
    model.fit(data, epochs=7, callbacks=callbacks, verbose=0)
    np.savez(
        result,
        data.examples,
        *model.get_weights(),
        *(variable.numpy() for variable in model.optimizer.variables),
    )


if __name__ == "__main__":
    main(*sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) > 3 else -1)
