"""Where the sample axis stands."""

import tensorflow as tf


def samples_last(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the first axis to the end: ``(batch, *shape)`` -> ``(*shape, batch)``."""
    rank = tensor.shape.rank
    return tf.transpose(tensor, (*range(1, rank), 0))


def samples_first(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the last axis to the front, the inverse of :func:`samples_last`."""
    rank = tensor.shape.rank
    return tf.transpose(tensor, (rank - 1, *range(rank - 1)))
