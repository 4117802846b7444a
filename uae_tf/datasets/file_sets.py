"""Data sets built from files at hand: ISOLET, COIL-20, Mice Protein, Activity."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import Dataset, check_available, prepared_folder
from .preprocessing import impute, impute_as_published, resize, scale
from .sources import SOURCES, fetch, verify

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

#: First subject of the test split of "activity": nobody is on both sides.
ACTIVITY_TEST_SUBJECT = 26
COIL_SIZE = (20, 20)

Records = dict[str, np.ndarray]
#: x_train, y_train, x_test, y_test
Splits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def load_file_set(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
    legacy: bool = False,
) -> Dataset:
    """Load one of the prepared file sets, split and scaled.

    Args:
        name: A key of `uae_tf.datasets.sources.SOURCES`.
        data_dir: Folder of the prepared sets, see `uae_tf.datasets.load`.
        samples: Keep only the first `samples` of the training split.
        seed: Of the split of "coil20" and "mice_protein".
        legacy: The published, leaky preprocessing, see `uae_tf.datasets.load`.

    Raises:
        FileNotFoundError: The set is not prepared in that folder.
        ValueError: `samples` exceeds the training split.
    """
    builder = _builder(name, data_dir)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"Data set {name!r} is not prepared in data_dir={_root(builder)!r}. Run "
            f"`uae-tf datasets prepare {name} --from FOLDER --data-dir "
            f"{_root(builder)}`, FOLDER holding its files. {SOURCES[name].instructions}"
        )
    records = {split: _records(builder, split) for split in builder.info.splits}
    x_train, y_train, x_test, y_test = _SPLITS[name](records, seed, legacy)
    if samples is not None:
        check_available(name, samples, len(x_train))
        x_train, y_train = x_train[:samples], y_train[:samples]
    names = (builder.info.metadata or {}).get("feature_names")
    return Dataset(
        x_train,
        y_train.astype(np.int64),
        x_test,
        y_test.astype(np.int64),
        name=name,
        feature_names=None if names is None else tuple(names),
    )


def is_prepared(name: str, data_dir: str | os.PathLike[str] | None = None) -> bool:
    """Tell whether a file set is prepared in a folder.

    Args:
        name: A key of `uae_tf.datasets.sources.SOURCES`.
        data_dir: Folder of the prepared sets, see `uae_tf.datasets.load`.
    """
    return bool(_builder(name, data_dir).is_prepared())


def prepare(
    name: str,
    source: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Build a file set into a folder of prepared sets.

    The files are verified first, and a set appears in the folder whole or not at all.

    Args:
        name: "isolet", "coil20", "mice_protein" or "activity".
        source: Folder that holds the set's files, which stay as they are. Defaults to
            None: they are downloaded where an address is known.
        data_dir: Folder of the prepared sets. Defaults to the environment variable
            `TFDS_DATA_DIR`, then to the default of tensorflow-datasets.

    Returns:
        The folder of the prepared set; at once where it is prepared already.

    Raises:
        ValueError: Unknown name, or a file that is truncated or altered.
        FileNotFoundError: A file is missing, or cannot be downloaded.
    """
    if name not in SOURCES:
        raise ValueError(
            f"Only sets built from files are prepared. Received: name={name!r}. "
            f"Expected one of: {', '.join(SOURCES)}."
        )
    builder = _builder(name, data_dir)
    if builder.is_prepared():
        return Path(builder.data_dir)
    with tempfile.TemporaryDirectory() as downloads:
        folder = verify(fetch(name, downloads) if source is None else source, name)
        _build(builder, folder, Path(downloads))
    return Path(builder.data_dir)


def _build(builder: tfds.core.DatasetBuilder, folder: Path, downloads: Path) -> None:
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(
            # Nothing is downloaded, but the folder would be made.
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(manual_dir=folder.absolute()),
        )


def _builder(
    name: str, data_dir: str | os.PathLike[str] | None
) -> tfds.core.DatasetBuilder:
    # Imported here: it takes seconds, and `import uae_tf` must not pay for it.
    from .builders import BUILDERS

    return BUILDERS[name](data_dir=prepared_folder(data_dir))


def _root(builder: tfds.core.DatasetBuilder) -> str:
    return str(Path(builder.data_dir).parents[1])


def _records(builder: tfds.core.DatasetBuilder, split: str) -> Records:
    batches: Any = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False)
    return {name: tensor.numpy() for name, tensor in batches.items()}


def _isolet(records: dict[str, Records], seed: int, legacy: bool) -> Splits:
    del seed
    train, test = records["train"], records["test"]
    x_train, x_test = scale(train["features"], test["features"], legacy)
    return x_train, train["label"], x_test, test["label"]


def _activity(records: dict[str, Records], seed: int, legacy: bool) -> Splits:
    del seed
    x, y = records["train"]["features"], records["train"]["label"]
    is_test = records["train"]["subject"] >= ACTIVITY_TEST_SUBJECT
    x_train, x_test = scale(x[~is_test], x[is_test], legacy)
    return x_train, y[~is_test], x_test, y[is_test]


def _coil20(records: dict[str, Records], seed: int, legacy: bool) -> Splits:
    x, y = resize(records["train"]["image"], COIL_SIZE), records["train"]["label"]
    # Grey levels have a range of their own, so there is nothing to fit but for the
    # published minimum and maximum over all images.
    low, high = (int(x.min()), int(x.max())) if legacy else (0, 255)
    scaled = ((x - np.float32(low)) / np.float32(high - low)).astype(np.float32)
    train, test = _shuffled(len(x), seed)
    return scaled[train], y[train], scaled[test], y[test]


def _mice_protein(records: dict[str, Records], seed: int, legacy: bool) -> Splits:
    x, y = records["train"]["features"], records["train"]["label"]
    train, test = _shuffled(len(x), seed)
    if legacy:
        x = impute_as_published(x, y)
        x_train, x_test = x[train], x[test]
    else:
        x_train, x_test = impute(x[train], y[train], x[test])
    x_train, x_test = scale(x_train, x_test, legacy)
    return x_train, y[train], x_test, y[test]


def _shuffled(total: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four fifths and the rest of a shuffle, as in the published code but seeded."""
    order = np.random.default_rng(seed).permutation(total)
    return order[: total * 4 // 5], order[total * 4 // 5 :]


_SPLITS: dict[str, Callable[[dict[str, Records], int, bool], Splits]] = {
    "isolet": _isolet,
    "coil20": _coil20,
    "mice_protein": _mice_protein,
    "activity": _activity,
}
