"""Input pipelines that are not left to `tf.data`'s autotuning.

Its tuner is a thread that the removal of an iterator waits for. Told to stop, it may
look a moment too early, see no stop, and sleep on for up to a minute; and Keras leaves
iterators to the garbage collector, so the wait comes in the middle of whatever Python
runs just then. Waits of 20 to 100 seconds were seen, with idle cores.
"""

import keras
import numpy as np
import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, from iterators without a tuner."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def predict(model: keras.Model, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """What ``model.predict(x)`` gives, without a tuner.

    Args:
        model: of one input and one output.
        x: ``(N, *shape)``, N >= 1.
        batch_size: samples per forward pass.

    Returns:
        ``(N, ...)``.

    Cost: a copy of ``x`` in TensorFlow's memory, as in ``model.predict``.
    """
    with tf.device("CPU:0"):
        rows = tf.constant(x)
    starts = tf.data.Dataset.range(0, len(x), batch_size)
    batches = starts.map(lambda start: rows[start : start + batch_size])
    return model.predict(untuned(batches.prefetch(1)), verbose=0)
