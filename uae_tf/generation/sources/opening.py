"""From what a user writes behind --data to a source."""

from __future__ import annotations

import importlib
import os
import re
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import tensorflow as tf

from ... import datasets
from ...datasets.dataset import prepared_folder
from ...datasets.images import SOURCES as IMAGE_SETS
from ...datasets.images import read_in_order
from ..errors import GenerationError
from ..status import LOCK
from .array import ArraySource, NpySource
from .images import SUFFIXES, ImageFolderSource
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
        GenerationError: nothing of the kind, nothing in it, or a damaged file.

    Example:
        >>> open_source("digits").count
        1437
    """
    text, path = os.fspath(data), Path(data)
    try:
        if _is_folder_of_samples(path):
            records = sorted(path.glob("*.tfrecord*"))
            return tfrecord(records, text) if records else ImageFolderSource(path)
        if path.suffix == ".npy":
            return NpySource(path)
        if path.suffix == ".npz":
            return ArraySource.from_npz(path)
        if ".tfrecord" in path.name:
            path.stat()  # TensorFlow's own error does not name the file.
            return tfrecord([path], text)
    except GenerationError:
        raise
    # Numpy, zipfile, zlib, protobuf and TensorFlow name no file, and share no kind.
    except Exception as error:
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


def as_source(
    data: str | os.PathLike[str] | np.ndarray | Source,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """A source of whatever may be passed for one.

    Raises:
        TypeError: it is nothing of the kind.
        GenerationError: as `open_source`.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, np.ndarray):
        return ArraySource(data)
    if not isinstance(data, str | os.PathLike):
        raise TypeError(
            "`data` must be a path, a name as `open_source` takes it, a numpy array or "
            f"a Source. Received: {type(data).__name__}. Of a tf.data.Dataset of "
            "single samples pass the function that makes it, as 'module:function'; of "
            "a list or a tensor np.asarray(data)."
        )
    return open_source(data, data_dir)


def address(name: str) -> str:
    """What another process, wherever it runs, opens a source by.

    Args:
        name: of a source that `open_source` has opened.
    """
    path = Path(name)
    is_file = path.suffix in (".npy", ".npz") or ".tfrecord" in path.name
    is_on_disk = is_file or _is_folder_of_samples(path)
    return str(path.absolute()) if is_on_disk else name


def _is_folder_of_samples(path: Path) -> bool:
    is_run = (path / LOCK).exists()
    if not (is_run or path.name in datasets.names()):
        return path.is_dir()
    # One that is called as a data set is, such as that of a run on it, or TFDS's own,
    # must hold samples to be taken for a folder of samples. Shards are none.
    images = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    found = chain(path.glob("*.tfrecord*"), images)
    return any(not (is_run and "shard-" in p.name) for p in found)


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
