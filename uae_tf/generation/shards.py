"""One shard: written whole or not at all, and believed only after a look at it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..attacks import AttackResult
from ..files import atomic_file, checksum
from .errors import GenerationError, SinkError
from .journal import Record
from .npz import read_npz, write_npz
from .plan import Plan
from .tfrecord import read_tfrecord, write_tfrecord


def write_shard(directory: Path, plan: Plan, shard: int, result: AttackResult) -> str:
    """Writes a shard, atomically; equal results give equal bytes.

    Returns:
        sha256 of the file.

    Raises:
        SinkError: it could not be written; nothing is left behind.
    """
    ids = plan.rows(shard)
    arrays = {name: getattr(result, name) for name in _kinds(plan)}
    arrays["sample_id"] = np.arange(ids.start, ids.stop, dtype=np.int64)
    arrays["run"] = np.array(plan.run)
    write = {"npz": write_npz, "tfrecord": write_tfrecord}[plan.sink]
    path = directory / plan.shard_name(shard)
    try:
        with atomic_file(path) as temporary:
            write(temporary, arrays)
            digest = checksum(temporary)
    except (OSError, tf.errors.OpError) as error:
        raise SinkError(
            f"{path.name} could not be written ({error}). Finished shards are kept: "
            "make room, then start the same command with --resume."
        ) from error
    return digest


def read_shard(directory: Path, plan: Plan, record: Record) -> AttackResult:
    """Reads a shard after comparing it with its record. Never unpickles.

    Raises:
        GenerationError: missing, damaged, or of another run.
    """
    path = directory / plan.shard_name(record.shard)
    problem = find_damage(directory, plan, record)
    if problem is not None:
        raise GenerationError(problem)
    try:
        if plan.sink == "npz":
            arrays = read_npz(path.read_bytes())
        else:
            arrays = read_tfrecord(path, plan.sample_shape)
        return _result(arrays, plan, record)
    # zipfile, numpy and TensorFlow raise a dozen kinds of errors on forged files.
    except Exception as error:
        raise GenerationError(f"{path} is not a shard of this run: {error}") from error


def find_damage(
    directory: Path, plan: Plan, record: Record, only_size: bool = False
) -> str | None:
    """Compares a file with its record.

    Args:
        directory: of the run.
        plan: of the run.
        record: of the shard.
        only_size: take a file of the right length for the right file.

    Returns:
        What is wrong with the file, or None.
    """
    path = directory / plan.shard_name(record.shard)
    try:
        size = path.stat().st_size
        if size != record.size:
            return f"{path} has {size} bytes; {record.size} were written."
        if not only_size and checksum(path) != record.sha256:
            return f"{path} is corrupt: its checksum is not the one that was recorded."
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})."
    return None


def _kinds(plan: Plan) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Name -> dtype and shape per sample of what an attack returns."""
    kinds = {
        field.name: (np.dtype(np.float32), ())
        for field in fields(AttackResult)
        if field.name != "trace"
    }
    kinds["examples"] = (np.dtype(np.float32), plan.sample_shape)
    kinds["success"] = kinds["is_finite"] = (np.dtype(bool), ())
    return kinds


def _result(arrays: dict[str, np.ndarray], plan: Plan, record: Record) -> AttackResult:
    ids = plan.rows(record.shard)
    if str(arrays.pop("run")) != plan.run:
        raise ValueError("it belongs to another run")
    if not np.array_equal(arrays.pop("sample_id"), np.arange(ids.start, ids.stop)):
        raise ValueError(f"it does not hold the samples {ids.start} to {ids.stop - 1}")
    kinds = _kinds(plan)
    if set(arrays) != set(kinds):
        raise ValueError(f"it holds the arrays {sorted(arrays)}")
    for name, (dtype, shape) in kinds.items():
        if plan.sink == "tfrecord" and dtype.kind == "b":
            arrays[name] = arrays[name].astype(bool)
        if (arrays[name].dtype, arrays[name].shape) != (dtype, (len(ids), *shape)):
            raise ValueError(
                f"{name!r} is of {arrays[name].dtype} and shape {arrays[name].shape}"
            )
    return AttackResult(**arrays)
