"""Samples as a pipeline, and an attack that may send a signal to its own process.

The environment variable SIGNAL_AT is "SAMPLE:SIGNAL:FLAG". The process that attacks the
sample removes the file FLAG and gets the signal, unless the file is gone; a FLAG that
is a folder stays. SECONDS_PER_BATCH slows the attack down.
"""

import os
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from uae_tf import GaussianNoise

x = np.random.default_rng(0).random((100, 8), np.float32)


def pipeline():
    """Single samples, in order."""
    return tf.data.Dataset.from_tensor_slices(x)


@keras.saving.register_keras_serializable("tests")
class SignallingNoise(GaussianNoise):
    """Gaussian noise, and once a signal."""

    def noise(self, x, y, seeds):
        sent = tf.py_function(send_signal, [seeds[:, 1]], [])
        with tf.control_dependencies([sent]):
            return super().noise(tf.identity(x), y, seeds)


def send_signal(ids):
    time.sleep(float(os.environ.get("SECONDS_PER_BATCH", "0")))
    sample, number, flag = (os.environ.get("SIGNAL_AT") or "-1:0:.").split(":")
    if int(sample) in ids.numpy() and Path(flag).exists():
        if not Path(flag).is_dir():
            Path(flag).unlink()
        os.kill(os.getpid(), int(number))
