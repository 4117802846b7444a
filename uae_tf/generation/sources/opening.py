"""From what a user writes behind --data to a source."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path

import tensorflow as tf

from ... import datasets
from ...datasets.dataset import prepared_folder
from ...datasets.images import SOURCES as IMAGE_SETS
from ...datasets.images import read_in_order
from ..errors import GenerationError
from .array import ArraySource, NpySource
from .images import ImageFolderSource
from .source import Source
from .stream import StreamSource, pipeline, tfrecord


def open_source(
    data: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None
) -> Source:
    """Opens samples for a long run.

    Args:
        data: one of: an ``.npy`` file (mapped, never read whole); an ``.npz`` file;
            a ``.tfrecord`` file, or a folder of them; a folder of images; the name of a
            data set, with a split if not "train" ("mnist", "mnist/test");
            ``module:function``, which returns a ``tf.data.Dataset`` of single samples.
            The function is run: name none that you do not trust.
        data_dir: folder of prepared data sets, see `uae_tf.datasets.load`.

    Returns:
        A `Source`.

    Raises:
        GenerationError: nothing of the kind, or nothing in it.

    Example:
        >>> open_source("digits").count
        1437
    """
    text, path = os.fspath(data), Path(data)
    try:
        if path.is_dir():
            records = sorted(path.glob("*.tfrecord*"))
            return tfrecord(records, text) if records else ImageFolderSource(path)
        if path.suffix == ".npy":
            return NpySource(path)
        if path.suffix == ".npz":
            return ArraySource.from_npz(path)
        if ".tfrecord" in path.name:
            path.stat()  # TensorFlow's own error does not name the file.
            return tfrecord([path], text)
    except OSError as error:
        raise GenerationError(f"The source {text!r} cannot be read: {error}") from error
    if re.fullmatch(r"[\w.]+:\w+", text):
        return pipeline(text, _call(text))
    if re.fullmatch(r"\w+(/\w+)?", text):
        return _named(text, data_dir)
    raise GenerationError(
        "`data` must be an .npy, .npz or .tfrecord file, a folder of images or "
        "TFRecords, a data set's name such as mnist/test, or module:function. "
        f"Received: {text!r}"
    )


def _call(text: str) -> object:
    module, _, function = text.partition(":")
    # As `python -m` does; the console script does not look there.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise GenerationError(f"The source {text!r} was not found: {error}") from error


def _named(text: str, data_dir: str | os.PathLike[str] | None) -> Source:
    name, _, split = text.partition("/")
    split = split or "train"
    if name in datasets.names() and name not in IMAGE_SETS:
        if split not in ("train", "test"):
            raise GenerationError(f"{name!r} has the splits train and test: {text!r}")
        data = datasets.load(name, data_dir)
        return ArraySource(
            getattr(data, f"x_{split}"), getattr(data, f"y_{split}"), text
        )
    return _prepared(name, split, data_dir)


def _prepared(
    name: str, split: str, data_dir: str | os.PathLike[str] | None
) -> StreamSource:
    # Imported here: it takes seconds.
    import tensorflow_datasets as tfds

    folder = prepared_folder(data_dir)
    try:
        builder = tfds.builder(name, data_dir=folder)
        count = builder.info.splits[split].num_examples
    # A registry of its own, a key, a missing folder: each has another kind of error.
    except Exception as error:
        raise GenerationError(
            f"The data set {name!r} with the split {split!r} is not prepared "
            f"(data_dir={folder!r}): {error}. Prepare it first (`tfds build {name}`)."
        ) from error
    supervised = builder.info.supervised_keys is not None

    def make(skipped: int) -> tf.data.Dataset:
        dataset = read_in_order(
            builder, f"{split}[{skipped}:]", as_supervised=supervised
        )
        return dataset if supervised else dataset.map(lambda row: row["image"])

    files = [Path(path) for path in builder.info.splits[split].filepaths]
    return StreamSource(f"{name}/{split}", make, files, count)
