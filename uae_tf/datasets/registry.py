"""Data sets by name."""

from __future__ import annotations

import operator
import os
from typing import Any

from .circles import load_circles
from .dataset import Dataset
from .digits import load_digits
from .file_sets import is_prepared, load_file_set
from .images import SOURCES as IMAGES
from .images import load_images
from .sources import SOURCES as FILE_SETS


def names() -> list[str]:
    """List the names that `load` knows.

    Example:
        >>> names()
        ['digits', 'circles', 'mnist', 'fashion_mnist', 'cifar10', 'svhn_cropped',
         'isolet', 'coil20', 'mice_protein', 'activity']
    """
    return ["digits", "circles", *IMAGES, *FILE_SETS]


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    seed: int = 0,
    legacy: bool = False,
    **options: Any,
) -> Dataset:
    """Load a data set as float32 arrays in [0, 1]: images with a channel axis, vectors.

    `"digits"` ships with scikit-learn, which draws `"circles"` as well (points in the
    plane, not in [0, 1]); other image sets come through tensorflow-datasets, which
    downloads a set only if it is not prepared in `data_dir` yet. `"isolet"`,
    `"coil20"`, `"mice_protein"` and `"activity"` are built from files at hand by
    `uae_tf.datasets.prepare` or `uae-tf datasets prepare`.

    Features are scaled by their range in the training split, test values clipped to
    it; missing proteins filled by class means of the training split (in test rows by
    the mean of all classes). `"coil20"` is resized to 20x20. It and `"mice_protein"`
    are split by a seeded shuffle, 4 : 1, as in the paper, which puts views of one
    object and measurements of one mouse on both sides. `"activity"`, of which only the
    published training part is at hand, is split by subject.

    Args:
        name: One of `names()`.
        data_dir: Folder of the prepared sets. Defaults to the environment variable
            `TFDS_DATA_DIR`, then to the default of tensorflow-datasets. Not used
            by `"digits"` and `"circles"`.
        samples: Keep only the first `samples` of the training split; the test split
            stays whole. Defaults to None, all of it.
        seed: Seed of the split of `"digits"`, `"coil20"` and `"mice_protein"`, and of
            the points of `"circles"`. The other sets come with their own split.
        legacy: Preprocess as the published code does, for comparisons with its numbers:
            ranges taken over training and test split (`"isolet"`, `"activity"`,
            `"mice_protein"`; `"coil20"` over all images), and the class means of
            `"mice_protein"` spoilt by the marks of missing values (SPEC 3.11 to 3.14).
            Defaults to False. Makes no difference to other sets.
        **options: Of `"circles"` alone: `noise` and `factor`, see `load_circles`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: Unknown `name`, or `samples` not in 1 ... size of the split.
        TypeError: `samples` is no integer, or an option that the set does not have.
        FileNotFoundError: The set is neither prepared nor downloadable.

    Randomness:
        Splits depend on `seed` alone where they are drawn at all; the order within the
        other sets is that of their stock build or of their files.

    Example:
        >>> load("digits", samples=500)
        Dataset('digits', train=500, test=360, sample_shape=(8, 8, 1), classes=10)
    """
    _check_name(name)
    # Before the load, so that a typing error does not cost the loading time.
    count = _checked_samples(samples)
    if name == "circles":
        return load_circles(seed, count, **options)
    if options:
        raise TypeError(f"{name!r} has no options. Received: {', '.join(options)}.")
    if name == "digits":
        return load_digits(seed, count)
    if name in FILE_SETS:
        return load_file_set(name, data_dir, count, seed, legacy)
    return load_images(name, data_dir, count)


def is_at_hand(name: str, data_dir: str | os.PathLike[str] | None = None) -> bool:
    """Tell whether `load` can go to work: the set is there, or may be downloaded.

    Args:
        name: One of `names()`.
        data_dir: As for `load`.

    Returns:
        False only for a set that is built from files and has not been; whether a
        download works is seen when it is tried.

    Raises:
        ValueError: Unknown `name`.

    Example:
        >>> is_at_hand("digits")
        True
    """
    _check_name(name)
    return name not in FILE_SETS or is_prepared(name, data_dir)


def _check_name(name: str) -> None:
    if name not in names():
        raise ValueError(
            f"Unknown data set. Received: name={name!r}. "
            f"Expected one of: {', '.join(names())}."
        )


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
