"""Data sets by name."""

from __future__ import annotations

import operator
import os

from .dataset import Dataset
from .digits import load_digits
from .images import SOURCES, load_images


def names() -> list[str]:
    """List the names that `load` knows.

    Example:
        >>> names()
        ['digits', 'mnist', 'fashion_mnist', 'cifar10', 'svhn_cropped']
    """
    return ["digits", *SOURCES]


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Load a data set as float32 arrays in [0, 1] with a channel axis.

    `"digits"` ships with scikit-learn; the others come through tensorflow-datasets,
    which downloads a set only if it is not prepared in `data_dir` yet.

    Args:
        name: One of `names()`.
        data_dir: Folder of the prepared sets. Defaults to the environment variable
            `TFDS_DATA_DIR`, then to the default of tensorflow-datasets. Not used
            by `"digits"`.
        samples: Keep only the first `samples` of the training split; the test split
            stays whole. Defaults to None, all of it.
        seed: Seed of the split of `"digits"`. The other sets come with their own.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: Unknown `name`, or `samples` not in 1 ... size of the split.
        TypeError: `samples` is no integer.
        FileNotFoundError: The set is neither prepared nor downloadable.

    Randomness:
        The split of `"digits"` depends on `seed` alone; the order within the other
        sets is that of their stock build.

    Example:
        >>> load("digits", samples=500)
        Dataset('digits', train=500, test=360, sample_shape=(8, 8, 1), classes=10)
    """
    if name not in names():
        raise ValueError(
            f"Unknown data set. Received: name={name!r}. "
            f"Expected one of: {', '.join(names())}."
        )
    # Before the load, so that a typing error does not cost the loading time.
    count = _checked_samples(samples)
    if name == "digits":
        return load_digits(seed, count)
    return load_images(name, data_dir, count)


def _checked_samples(samples: int | None) -> int | None:
    if samples is None:
        return None
    try:
        count = operator.index(samples)
    except TypeError:
        raise TypeError(
            "samples must be an integer or None. Received: "
            f"samples={samples!r} of type {type(samples).__name__}."
        ) from None
    if count < 1:
        raise ValueError(
            f"samples must be at least 1. Received: samples={count}. "
            "Leave it out to load the whole training split."
        )
    return count
