"""Image sets through tensorflow-datasets."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import Dataset, check_available, prepared_folder

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

# Name -> the server that tensorflow-datasets downloads the set from.
SOURCES = {
    "mnist": "https://storage.googleapis.com",
    "fashion_mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "cifar10": "https://www.cs.toronto.edu",
    "svhn_cropped": "http://ufldl.stanford.edu",
}
PROBE_SECONDS = 10


def load_images(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    samples: int | None = None,
) -> Dataset:
    """Load an image set of tensorflow-datasets as arrays.

    Args:
        name: A key of `SOURCES`.
        data_dir: Folder of the prepared sets, see `uae_tf.datasets.load`.
        samples: Read only the first `samples` of the training split.

    Returns:
        A `Dataset` in the order of the stock build.

    Raises:
        FileNotFoundError: The set is neither prepared nor downloadable.
        ValueError: `samples` exceeds the training split.
    """
    # Imported here: it takes seconds, and `import uae_tf` must not pay for it.
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=prepared_folder(data_dir))
    _prepare(builder)
    train = "train"
    if samples is not None:
        check_available(name, samples, builder.info.splits["train"].num_examples)
        train = f"train[:{samples}]"
    x_train, y_train = _arrays(builder, train)
    x_test, y_test = _arrays(builder, "test")
    return Dataset(x_train, y_train, x_test, y_test, name=name)


def _arrays(
    builder: tfds.core.DatasetBuilder, split: str
) -> tuple[np.ndarray, np.ndarray]:
    # Large, because a step through the pipeline per sample takes far longer.
    batches: Any = read_in_order(builder, split, batch_size=1000, as_supervised=True)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    pixels = np.concatenate(images)
    return (
        np.divide(pixels, np.float32(255), dtype=np.float32),
        np.concatenate(labels).astype(np.int64),
    )


def read_in_order(
    builder: tfds.core.DatasetBuilder, split: str, **settings: Any
) -> tf.data.Dataset:
    """Read a prepared split one file after the other.

    Mixed, as is the default, the order depends on where a sub-split begins. Of one only
    the files that hold it are opened.

    Args:
        builder: of the prepared set.
        split: such as "train" or "train[100:]".
        **settings: Further arguments of `as_dataset`.
    """
    # Imported here: it takes seconds.
    import tensorflow_datasets as tfds

    config = tfds.ReadConfig(interleave_cycle_length=1)
    return builder.as_dataset(
        split=split, shuffle_files=False, read_config=config, **settings
    )


def _prepare(builder: tfds.core.DatasetBuilder) -> None:
    if builder.is_prepared():
        return
    try:
        # Without a network the download itself gives up only after minutes of retries.
        check_reachable(SOURCES[builder.name])
        builder.download_and_prepare()
    # Each layer below raises something of its own.
    except Exception as error:
        name, root = builder.name, Path(builder.data_dir).parents[1]
        raise FileNotFoundError(
            f"Data set {name!r} is not prepared in data_dir={str(root)!r} and could "
            f"not be downloaded ({type(error).__name__}: {_first_line(error)}). "
            f"Expected the folder {str(builder.data_dir)!r}. Either pass "
            "data_dir=<folder that holds it> (or set TFDS_DATA_DIR), or run "
            f"`tfds build {name} --data_dir {root}` on a machine with a network and "
            "copy that folder. 'digits' needs no download."
        ) from error


def check_reachable(url: str) -> None:
    """Ask the server for anything at all.

    Raises:
        OSError: Nothing answers within `PROBE_SECONDS`.
    """
    try:
        urllib.request.urlopen(url, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError as answer:
        # A server that answers, even with "not found", is reachable.
        answer.close()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no details"]
    return lines[0][:200]
