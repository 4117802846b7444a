"""Randomness per sample: what a sample gets depends on its id, not on its batch."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from ..types import Seeds


def per_sample_seeds(seed: int | tf.Tensor, sample_ids: tf.Tensor) -> Seeds:
    """One stateless seed per sample from a base seed and the sample's id.

    Args:
        seed: the base seed of a run.
        sample_ids: ``(batch,)`` integers; ids below 2**31 never collide.

    Returns:
        ``(batch, 2)`` int32.
    """
    ids = tf.cast(sample_ids, tf.int32)
    base = tf.fill(tf.shape(ids), tf.cast(seed, tf.int32))
    return tf.stack([base, ids], axis=1)


def fold_in(seeds: Seeds, stream: int) -> Seeds:
    """Seeds of another stream of numbers for the same samples.

    ``stream`` is a small integer; an odd multiplier spreads it over the base seed, so
    that ``seed + 1`` of one run is not stream 1 of another.
    """
    return seeds + tf.constant([[stream * 40503 * 7919 % (2**31), 0]], tf.int32)


def per_sample_uniform(
    seeds: Seeds, shape: Sequence[int], low: float, high: float
) -> tf.Tensor:
    """Uniform numbers in ``[low, high)``, ``(batch, *shape)``, one stream a sample."""
    unit = _per_sample(tf.random.stateless_uniform, seeds, shape)
    return low + (high - low) * unit


def per_sample_normal(seeds: Seeds, shape: Sequence[int]) -> tf.Tensor:
    """Standard normal numbers, ``(batch, *shape)``, one stream a sample."""
    return _per_sample(tf.random.stateless_normal, seeds, shape)


def _per_sample(
    draw: Callable[..., tf.Tensor], seeds: Seeds, shape: Sequence[int]
) -> tf.Tensor:
    # There is no batched stateless op; a mapped one costs about 20 us a sample.
    return tf.map_fn(
        lambda seed: draw(tuple(shape), seed),
        seeds,
        fn_output_signature=tf.TensorSpec(tuple(shape), tf.float32),
        parallel_iterations=16,
    )
