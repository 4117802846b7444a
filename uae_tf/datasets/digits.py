"""Scikit-learn's 8x8 digits: always at hand, small enough for a test."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dataset import Dataset, check_available

TEST_SAMPLES = 360


def load_digits(seed: int = 0, samples: int | None = None) -> Dataset:
    """Load the 1797 digits of scikit-learn, which ship inside that package.

    Args:
        seed: Seed of the stratified shuffle into 1437 training and 360 test samples.
        samples: Keep only the first `samples` of the training split.

    Returns:
        A `Dataset` of 8x8x1 images.

    Raises:
        ValueError: `samples` exceeds the training split.
    """
    from sklearn.datasets import load_digits as embedded_digits
    from sklearn.model_selection import train_test_split

    bunch: Any = embedded_digits()
    # Grey levels are 0 ... 16.
    images = (bunch.images / 16.0).astype(np.float32)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    parts: list[Any] = train_test_split(
        images, labels, test_size=TEST_SAMPLES, random_state=seed, stratify=labels
    )
    x_train, x_test, y_train, y_test = parts
    if samples is not None:
        check_available("digits", samples, len(x_train))
        x_train, y_train = x_train[:samples], y_train[:samples]
    return Dataset(x_train, y_train, x_test, y_test, name="digits")
