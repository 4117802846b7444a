"""The samples of a finished run, in their order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, overload

import numpy as np
import tensorflow as tf

from ..attacks import AttackResult
from .errors import GenerationError
from .journal import Record, read_journal
from .manifest import read_manifest
from .plan import Plan
from .shards import read_shard


@overload
def load(
    directory: str | os.PathLike[str], as_tf_data: Literal[False] = ...
) -> AttackResult: ...


@overload
def load(
    directory: str | os.PathLike[str], as_tf_data: Literal[True]
) -> tf.data.Dataset: ...


def load(
    directory: str | os.PathLike[str], as_tf_data: bool = False
) -> AttackResult | tf.data.Dataset:
    """Loads a finished run, each sample once and in the order of the source.

    Arrays go into training as any result does:
    ``data.set_examples(load("run").augmented(x))``.

    Args:
        directory: of the run.
        as_tf_data: read shard by shard, for runs larger than the memory.

    Returns:
        An `AttackResult` of all samples, or a `tf.data.Dataset` whose elements are
        single samples: dicts of "sample_id", "examples", "success", "is_finite",
        "similarity", "criterion", "l2" and "linf".

    Raises:
        GenerationError: shards are missing, damaged, or of another run; with
            `as_tf_data`, damage is found (by TensorFlow's own error) when it is read.
    """
    directory = Path(directory)
    plan, records = finished(directory)
    if as_tf_data:
        return _dataset(directory, plan, records)
    return AttackResult.concatenate(
        [read_shard(directory, plan, record) for record in records]
    )


def finished(directory: Path) -> tuple[Plan, list[Record]]:
    """The plan of a run, and the records of all of its shards, in order.

    Raises:
        GenerationError: some are missing.
    """
    plan = read_manifest(directory)
    records, _ = read_journal(directory, plan)
    missing = plan.num_shards - len(records)
    if missing:
        raise GenerationError(
            f"{str(directory)!r} is not complete: {missing:,} of {plan.num_shards:,} "
            "shards are missing. Start its command again with --resume."
        )
    return plan, [records[shard] for shard in range(plan.num_shards)]


def _dataset(directory: Path, plan: Plan, records: list[Record]) -> tf.data.Dataset:
    def shards() -> Iterator[dict[str, np.ndarray]]:
        for record in records:
            result = read_shard(directory, plan, record)
            arrays = {name: getattr(result, name) for name in signature}
            yield {**arrays, "sample_id": np.asarray(plan.rows(record.shard), np.int64)}

    scalars = dict.fromkeys(("similarity", "criterion", "l2", "linf"), tf.float32)
    scalars |= dict.fromkeys(("success", "is_finite"), tf.bool)
    signature = {name: tf.TensorSpec((None,), kind) for name, kind in scalars.items()}
    signature["examples"] = tf.TensorSpec((None, *plan.sample_shape), tf.float32)
    signature_with_ids = {**signature, "sample_id": tf.TensorSpec((None,), tf.int64)}
    dataset = tf.data.Dataset.from_generator(
        shards, output_signature=signature_with_ids
    ).unbatch()
    return dataset.apply(tf.data.experimental.assert_cardinality(plan.num_samples))
