"""NT-Xent: pick the other view of an image out of a batch of views."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ..backend import replica_context

# A logit that no softmax sees: exp(-1e9) is 0 in every float type.
MASKED = -1e9


@keras.saving.register_keras_serializable("uae_tf")
class NTXent(keras.losses.Loss):
    """Normalised, temperature-scaled cross-entropy between two views of a batch.

    Each of the 2N projections is an anchor. Its positive is the other view of the same
    image, its negatives are the 2N - 2 views of other images:
    `-ln [exp(s_p / t) / sum_{k != anchor} exp(s_k / t)]`, s the cosine. The mean is
    taken over all 2N anchors, both directions.

    Under a `tf.distribute` strategy with several replicas the negatives are gathered
    from all of them, so that the loss is that of one device with the whole batch.

    Args:
        temperature: t, above 0. Defaults to 0.5 (SPEC 6.1).
        name: Name of the loss.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        z_a: (N, d) projections of the first views, N >= 2; normalised inside.
        z_b: (N, d) projections of the second views, in the same order.

    Returns:
        Scalar float32, in nats; `ln(2N - 1)` where all projections are equal.

    Raises:
        ValueError: `temperature` is not positive, the shapes differ, or N is 1. Where
            a compiled graph does not know N, a batch of one has a loss of 0.

    Cost:
        O(N^2 d); 4 N^2 logits in memory.

    Example:
        >>> z = keras.ops.ones((50, 8))
        >>> round(float(NTXent()(z, z)), 3)  # ln 99
        4.595

    Reference:
        Chen et al., ICML 2020, equation 1; SPEC 6.6. The reference code sums the two
        directions instead of averaging over them: its loss is twice this one.
    """

    def __init__(
        self, temperature: float = 0.5, name: str = "nt_xent", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.temperature = check_temperature(temperature)

    def call(self, z_a: Any, z_b: Any) -> Any:
        """Return the loss of every anchor, (2N,): first views, then second views."""
        logits, positives = nt_xent_logits(z_a, z_b, self.temperature)
        labels = ops.one_hot(positives, ops.shape(logits)[1], dtype=logits.dtype)
        values = ops.logsumexp(logits, axis=1) - ops.sum(labels * logits, axis=1)
        # 1 unless replicas hold batches of different sizes: Keras averages over
        # replicas, but the mean is one over all anchors.
        share = ops.shape(logits)[0] * _replicas() / ops.shape(logits)[1]
        return values * ops.cast(share, values.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "temperature": self.temperature}


def nt_xent_logits(z_a: Any, z_b: Any, temperature: float = 0.5) -> tuple[Any, Any]:
    """Similarities of every anchor with every view, divided by the temperature.

    Args:
        z_a: (n, d) projections of the first views on this replica.
        z_b: (n, d) of the second views.
        temperature: Above 0.

    Returns:
        Logits (2n, 2N) float32, N counting the pairs of all replicas, with a large
        negative number where an anchor meets itself; and the index of each anchor's
        positive, (2n,) int32.

    Raises:
        ValueError: The shapes differ, or there is only one pair and the graph
            knows it.
    """
    _check_pairs(z_a, z_b)
    local = ops.stack([_normalised(z_a), _normalised(z_b)], axis=1)
    views, offset = _all_replicas(local)
    size, total = ops.shape(local)[0], ops.shape(views)[0]
    anchors = ops.concatenate([local[:, 0], local[:, 1]], axis=0)
    others = ops.concatenate([views[:, 0], views[:, 1]], axis=0)
    logits = ops.matmul(anchors, ops.transpose(others)) / temperature
    own = ops.arange(size, dtype="int32") + offset
    itself = ops.concatenate([own, own + total], axis=0)
    positives = ops.concatenate([own + total, own], axis=0)
    columns = ops.arange(2 * total, dtype="int32")
    is_itself = ops.equal(itself[:, None], columns[None, :])
    return ops.where(is_itself, MASKED, logits), positives


def nt_xent_per_sample(
    views: Any, negatives: Any, temperature: float = 0.5, is_negative: Any = None
) -> Any:
    """NT-Xent of each sample's views against each other and a fixed bank of negatives.

    The mean over all ordered pairs of a sample's views, an anchor and its positive.
    Unlike in `NTXent`, the samples of a batch do not see each other: what a sample
    gets does not depend on its neighbours.

    Args:
        views: (N, R, d) projections of R >= 2 views of each sample.
        negatives: (M, d), the same for all samples.
        temperature: Above 0.
        is_negative: (N, M) bool, False where a negative does not count for a sample,
            such as a view of the sample's own image. Defaults to None, all count.

    Returns:
        (N,) float32, in nats. All are normalised inside.

    Raises:
        ValueError: R is 1.

    Cost:
        O(N R (M + R) d).

    Example:
        >>> nt_xent_per_sample(keras.ops.ones((3, 2, 8)), keras.ops.ones((98, 8)))
        <...[4.595..., 4.595..., 4.595...]...>

    Reference:
        SPEC 6.9.
    """
    count = views.shape[1]
    if count < 2:
        raise ValueError(
            "views must hold two views or more of each sample: one alone has no "
            f"positive. Received shape {tuple(views.shape)}."
        )
    views = _normalised(views)
    own = ops.matmul(views, ops.transpose(views, (0, 2, 1)))
    others = ops.matmul(views, ops.transpose(_normalised(negatives)))
    if is_negative is not None:
        others = ops.where(is_negative[:, None], others, MASKED)
    rivals = ops.logsumexp(others / temperature, axis=2, keepdims=True)
    # -ln [e^own / (e^own + e^rivals)], which no exponential overflows.
    values = ops.softplus(rivals - own / temperature)
    is_pair = 1.0 - ops.eye(count, dtype=values.dtype)
    return ops.sum(values * is_pair, axis=(1, 2)) / (count * (count - 1))


def check_temperature(temperature: float) -> float:
    """Return `temperature` if it is above 0.

    Raises:
        ValueError: It is not.
    """
    if not temperature > 0:
        raise ValueError(
            f"temperature must be above 0. Received: temperature={temperature}."
        )
    return temperature


def _normalised(z: Any) -> Any:
    # A float32 island: the sum of squares of half precision would round the cosines.
    z = ops.cast(z, "float32")
    squares = ops.sum(ops.square(z), axis=-1, keepdims=True)
    return z * ops.rsqrt(ops.maximum(squares, 1e-24))


def _check_pairs(z_a: Any, z_b: Any) -> None:
    shapes = tuple(z_a.shape), tuple(z_b.shape)
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            "NT-Xent compares two views (N, d) of the same images, in the same order. "
            f"Received shapes {shapes[0]} and {shapes[1]}."
        )
    sizes = {shape[0] for shape in shapes if shape[0] is not None}
    if len(sizes) > 1 or (1 in sizes and _replicas() == 1):
        raise ValueError(
            "NT-Xent needs the same number of first and second views, and two images "
            "or more: one alone has no negatives. "
            f"Received shapes {shapes[0]} and {shapes[1]}."
        )


def _replicas() -> int:
    context = replica_context()
    return context.num_replicas_in_sync if context else 1


def _all_replicas(local: Any) -> tuple[Any, Any]:
    """Views of all replicas, and how many pairs stand before those of this one."""
    context = replica_context()
    if context is None:
        return local, 0
    # `all_gather` hands each replica the summed gradient of its own part.
    views = context.all_gather(local, axis=0)
    sizes = context.all_gather(ops.reshape(ops.shape(local)[0], (1,)), axis=0)
    is_before = ops.arange(context.num_replicas_in_sync) < (
        context.replica_id_in_sync_group
    )
    return views, ops.sum(sizes * ops.cast(is_before, sizes.dtype))
