"""Samples that can only be read in order: tf.data pipelines and TFRecord files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import GenerationError
from .source import Rows, Source, check_count, hash_files

#: Samples of a pipeline that its fingerprint looks at.
HASHED_SAMPLES = 1000


class StreamSource(Source):
    """A finite pipeline of single samples, the same in the same order each time.

    Reading goes forward where it can, so that a process reads the pipeline once in all:
    its shards come in rising order.

    Args:
        name: for messages.
        make: given a number of samples to leave out at the beginning, the rest: x, or
            (x, y), unbatched.
        files: what the fingerprint is taken of; without, of the first samples.
        count: N; else the pipeline is asked, or read through once.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[int], tf.data.Dataset],
        files: list[Path] | None = None,
        count: int | None = None,
    ) -> None:
        self.name, self._make, self._files = name, make, files
        count = _count(name, make(0)) if count is None else count
        self.count = check_count(name, count)
        self._position = -1
        self._iterator: Iterator[Any] = iter(())

    def read(self, start: int, stop: int) -> Rows:
        position = self._position
        if not 0 <= position <= start:
            position, self._iterator = start, self._make(start).as_numpy_iterator()
        self._position = -1  # Should the pipeline fail, the next read begins anew.
        elements = list(islice(self._iterator, start - position, stop - position))
        if len(elements) != stop - start:
            raise GenerationError(
                f"{self.name!r} ended at sample {start + len(elements)}; it had "
                f"{self.count} samples when the run began."
            )
        self._position = stop
        if isinstance(elements[0], tuple):
            x, y = zip(*elements, strict=True)
            return np.stack(x), np.stack(y)
        return np.stack(elements), None

    def fingerprint(self) -> str:
        if self._files is not None:
            return hash_files(self._files)
        digest = hashlib.sha256(str(self.count).encode())
        for element in self._make(0).take(HASHED_SAMPLES).as_numpy_iterator():
            parts = element if isinstance(element, tuple) else (element,)
            for part in parts:
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def pipeline(name: str, dataset: Any) -> StreamSource:
    """A source of what a user's ``module:function`` returned."""
    if not isinstance(dataset, tf.data.Dataset):
        raise GenerationError(
            f"{name!r} must return a tf.data.Dataset of single samples, x or (x, y). "
            f"Received: {type(dataset).__name__}"
        )
    spec = dataset.element_spec
    parts = spec if isinstance(spec, tuple) and len(spec) == 2 else (spec,)
    if not all(isinstance(part, tf.TensorSpec) for part in parts):
        raise GenerationError(
            f"{name!r} must return a tf.data.Dataset of single samples, x or (x, y). "
            f"Received: elements of structure {spec}. Pick them out first, such as "
            'dataset.map(lambda element: element["image"]).'
        )
    return StreamSource(name, dataset.skip)


def tfrecord(paths: list[Path], name: str) -> StreamSource:
    """A source of TFRecord files, in the order of their names.

    Each record is a ``tf.train.Example`` with either ``image`` (an encoded image, read
    as 8 bits) or ``x`` (a float32 tensor by ``tf.io.serialize_tensor``).
    """
    records = tf.data.TFRecordDataset([str(path) for path in paths])
    first = next(iter(records.take(1).as_numpy_iterator()), b"")
    keys = set(tf.train.Example.FromString(first).features.feature)
    if not keys & {"x", "image"}:
        raise GenerationError(
            f"Records of {name!r} must have a feature 'image' or 'x'. Received records "
            f"with {sorted(keys)}. Read others by a function of yours, given as "
            "module:function."
        )
    key = "image" if "image" in keys else "x"

    def parse(record: tf.Tensor) -> tf.Tensor:
        features = {key: tf.io.FixedLenFeature((), tf.string)}
        content = tf.io.parse_single_example(record, features)[key]
        if key == "image":
            return tf.io.decode_image(content, expand_animations=False)
        return tf.io.parse_tensor(content, tf.float32)

    count = int(records.reduce(np.int64(0), lambda count, _: count + 1))
    # Skipped before they are parsed: that costs reading only.
    return StreamSource(name, lambda n: records.skip(n).map(parse), paths, count)


def _count(name: str, dataset: tf.data.Dataset) -> int:
    cardinality = int(dataset.cardinality())
    if cardinality == tf.data.INFINITE_CARDINALITY:
        raise GenerationError(
            f"{name!r} repeats for ever: leave out `.repeat()`, or add `.take(count)`."
        )
    if cardinality >= 0:
        return cardinality
    return int(dataset.reduce(np.int64(0), lambda count, *_: count + 1))
