"""Arrays in and out of a TFRecord file, one record per sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

_INTEGERS = ("success", "is_finite", "sample_id")


def record_features(sample_shape: tuple[int, ...]) -> dict[str, Any]:
    """What ``tf.io.parse_single_example`` needs to read a record.

    Args:
        sample_shape: of one sample.

    Returns:
        Name -> feature: float32 "examples" of the sample's shape; float32 scalars
        "similarity", "criterion", "l2", "linf"; int64 scalars "success" and
        "is_finite" (0 or 1) and "sample_id"; the text "run".

    Example:
        >>> sorted(record_features((28, 28, 1)))
        ['criterion', 'examples', 'is_finite', 'l2', 'linf', 'run', 'sample_id',
         'similarity', 'success']
    """
    scalars = dict.fromkeys(("similarity", "criterion", "l2", "linf"), tf.float32)
    scalars |= dict.fromkeys(_INTEGERS, tf.int64)
    return {
        "examples": tf.io.FixedLenFeature(sample_shape, tf.float32),
        "run": tf.io.FixedLenFeature((), tf.string),
        **{name: tf.io.FixedLenFeature((), kind) for name, kind in scalars.items()},
    }


def write_tfrecord(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes one record per row; ``run`` goes into each."""
    run = str(arrays["run"]).encode()
    columns = {name: array for name, array in arrays.items() if name != "run"}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in range(len(columns["sample_id"])):
            features = {name: _feature(a[row]) for name, a in columns.items()}
            features["run"] = tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[run])
            )
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # The same map may be written in another order at another time.
            writer.write(example.SerializeToString(deterministic=True))


def read_tfrecord(path: Path, sample_shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Reads what `write_tfrecord` wrote.

    Raises:
        tf.errors.OpError, ValueError: not such a file.
    """
    features = record_features(sample_shape)
    dataset = tf.data.TFRecordDataset(str(path)).batch(256)
    parsed = [
        tf.io.parse_example(records, features)
        for records in dataset.as_numpy_iterator()
    ]
    if not parsed:
        raise ValueError("no records")
    arrays = {
        name: np.concatenate([batch[name].numpy() for batch in parsed])
        for name in features
    }
    runs = set(arrays.pop("run").tolist())
    if len(runs) != 1:
        raise ValueError("records of several runs")
    arrays["run"] = np.array(runs.pop().decode())
    return arrays


def _feature(value: np.ndarray) -> tf.train.Feature:
    if value.dtype.kind == "f":
        floats = tf.train.FloatList(value=np.ravel(value))
        return tf.train.Feature(float_list=floats)
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
