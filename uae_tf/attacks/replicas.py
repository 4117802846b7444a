"""One batch on all devices of a `tf.distribute.MirroredStrategy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..types import Samples, Seeds


def over_replicas(
    run: Callable[..., tuple[Any, dict[str, tf.Tensor]]],
    x: Samples,
    y: tf.Tensor | None,
    seeds: Seeds,
) -> tuple[Any, dict[str, tf.Tensor]]:
    """Shares the rows of a batch among the replicas of the current strategy.

    Samples do not see each other, so a row gets what it would get on one device.

    Args:
        run: of (x, y, seeds); returns an `Outcome` and further numbers per sample.
        x: ``(batch, *shape)``.
        y: ``(batch,)`` labels, or None.
        seeds: ``(batch, 2)``.

    Returns:
        What ``run`` returns for the whole batch; without a strategy, by itself.
    """
    strategy = tf.distribute.get_strategy()
    replicas, rows = strategy.num_replicas_in_sync, x.shape[0]
    if replicas == 1 or not tf.distribute.in_cross_replica_context():
        return run(x, y, seeds)
    part = -(-rows // replicas)

    def on_one() -> tuple[Any, dict[str, tf.Tensor]]:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        # The last row again where the batch does not divide, as in a padded batch.
        taken = tf.minimum(replica * part + tf.range(part), rows - 1)
        return run(*(None if t is None else tf.gather(t, taken) for t in (x, y, seeds)))

    found = strategy.run(on_one)
    outcomes, norms = zip(
        *(
            tf.nest.map_structure(
                lambda values, r=replica: strategy.experimental_local_results(values)[
                    r
                ],
                found,
            )
            for replica in range(replicas)
        ),
        strict=True,
    )

    def join(parts: list[Any], axis: int) -> Any:
        return tf.nest.map_structure(
            lambda *rows_of: _first(tf.concat(rows_of, axis), rows, axis), *parts
        )

    # Traces have the batch on axis 1, everything else on axis 0.
    joined = join([outcome._replace(trace={}) for outcome in outcomes], 0)
    return joined._replace(trace=join([o.trace for o in outcomes], 1)), join(norms, 0)


def _first(tensor: tf.Tensor, rows: int, axis: int) -> tf.Tensor:
    return tensor[:rows] if axis == 0 else tensor[:, :rows]
