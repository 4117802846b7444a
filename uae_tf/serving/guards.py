"""Checks inside an exported graph: a bad request gets an error that names the input.

A model server knows nothing of what a model expects; it runs the graph on whatever
came. A wrong shape that happens to hold the right number of entries would be answered,
and wrongly. These checks travel with the graph, into any server.
"""

from __future__ import annotations

import tensorflow as tf

from ..ops import all_finite, flatten_samples
from ..types import PerSample, Samples, Seeds


def checked_samples(
    x: Samples,
    shape: tuple[int | None, ...],
    bounds: tuple[float, float] | None = None,
) -> Samples:
    """``x``, once it has been found to be samples of this shape.

    Args:
        x: the input as it came, float32.
        shape: of one sample; None where any length will do.
        bounds: smallest and largest allowed value, or None for any.

    Returns:
        ``(batch, *shape)``, with its static shape.

    Raises:
        InvalidArgumentError, when the graph runs: another shape, no rows, NaN or
        infinite values, values outside of the bounds.
    """
    x = _forget_shape(x)
    expected = ", ".join("any" if size is None else str(size) for size in shape)
    x = _require(
        _has_shape(x, shape),
        x,
        f"`x` must have the shape (batch, {expected}). Received the shape:",
        tf.shape(x),
    )
    x = _require(
        tf.shape(x)[0] > 0,
        x,
        "`x` must have at least one row. Received the shape:",
        tf.shape(x),
    )
    x = tf.ensure_shape(x, (None, *shape))
    x = _require_rows(all_finite(x), x, "`x` has NaN or infinite values in row:")
    if bounds is None:
        return x
    low, high = bounds
    inside = flatten_samples((x >= low) & (x <= high))
    text = f"`x` must lie within the bounds [{low:g}, {high:g}]. It does not in row:"
    return _require_rows(tf.reduce_all(inside, axis=1), x, text)


def checked_labels(y: tf.Tensor, x: Samples) -> tf.Tensor:
    """``y``, once it has been found to be one label for each row of ``x``."""
    y = _forget_shape(y)
    y = _require(
        _has_shape(y, ()) & tf.equal(tf.size(y), tf.shape(x)[0]),
        y,
        "`y` must have the shape (batch,), one label for each row of `x`. Received "
        "the shape:",
        tf.shape(y),
    )
    return tf.ensure_shape(y, (None,))


def checked_seeds(seed: tf.Tensor, x: Samples) -> Seeds:
    """Seeds of the rows of ``x``, from one seed for all or one for each.

    One seed gives the row i what sample i gets from an attack called with that seed in
    Python. A seed for each row gives a row what it would get alone, so that it matters
    not with which others a server puts it into one batch.

    Args:
        seed: the input as it came, int32, ``(1,)`` or ``(batch,)``.
        x: ``(batch, *shape)``.

    Returns:
        ``(batch, 2)`` int32.
    """
    seed = _forget_shape(seed)
    rows = tf.shape(x)[0]
    is_one = tf.equal(tf.size(seed), 1)
    seed = _require(
        _has_shape(seed, ()) & (is_one | tf.equal(tf.size(seed), rows)),
        seed,
        "`seed` must have the shape (1,) or (batch,), one for each row of `x`. "
        "Received the shape:",
        tf.shape(seed),
    )
    ids = tf.range(rows) * tf.cast(is_one, tf.int32)
    return tf.stack([tf.broadcast_to(seed, [rows]), ids], axis=1)


def _forget_shape(x: tf.Tensor) -> tf.Tensor:
    # Tracing and TensorFlow believe the declared shape, and may find a check of it true
    # and drop it; but a server feeds what came, whatever its shape.
    return tf.raw_ops.PlaceholderWithDefault(input=x, shape=tf.TensorShape(None))


def _has_shape(x: tf.Tensor, shape: tuple[int | None, ...]) -> tf.Tensor:
    """Whether x is ``(batch, *shape)``: scalar bool, for x of any rank."""
    # Padded so that all ranks compare, and the place behind the last axis tells of
    # further ones. Not by tf.rank: TensorFlow takes that from the declared shape.
    padding = tf.fill([len(shape) + 2], -1)
    sizes = tf.concat([tf.shape(x), padding], axis=0)
    fits = [
        sizes[axis] >= 0 if size is None else tf.equal(sizes[axis], size)
        for axis, size in enumerate((None, *shape, -1))
    ]
    return tf.reduce_all(fits)


def _require_rows(is_good: PerSample, x: Samples, message: str) -> Samples:
    first_bad = tf.argmin(tf.cast(is_good, tf.int32), output_type=tf.int32)
    return _require(tf.reduce_all(is_good), x, message, first_bad)


def _require(
    condition: tf.Tensor, x: tf.Tensor, message: str, received: tf.Tensor
) -> tf.Tensor:
    # Whatever uses the result has to wait for the check.
    check = tf.debugging.Assert(condition, [message, received], summarize=16)
    with tf.control_dependencies([check]):
        return tf.identity(x)
