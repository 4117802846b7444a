"""The arrays of one data set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Hold one data set as arrays, split into train and test.

    Args:
        x_train: float32 samples in [0, 1], shape (N, *sample_shape): images (height,
            width, channels) or vectors.
        y_train: int64 labels, shape (N,).
        x_test: float32 samples in [0, 1], shape (M, *sample_shape).
        y_test: int64 labels, shape (M,).
        name: Name the set was loaded by.
        feature_names: One name per entry of a vector, None where they have none.

    Raises:
        ValueError: Samples and labels of a split differ in number, the two splits
            hold samples of different shape, or names and features differ in number.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((6, 8, 8, 1), "float32"), np.arange(6) % 3
        >>> Dataset(x, y, x[:2], y[:2], name="toy")
        Dataset('toy', train=6, test=2, sample_shape=(8, 8, 1), classes=3)
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
            if len(x) != len(y):
                raise ValueError(
                    f"x_{split} and y_{split} must hold the same number of samples. "
                    f"Received: {len(x)} samples and {len(y)} labels."
                )
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise ValueError(
                "x_train and x_test must hold samples of one shape. Received: "
                f"{self.x_train.shape[1:]} and {self.x_test.shape[1:]}."
            )
        names = self.feature_names
        if names is not None and self.sample_shape != (len(names),):
            raise ValueError(
                "feature_names must hold one name per feature of a vector. Received: "
                f"{len(names)} names for samples of shape {self.sample_shape}."
            )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, the `input_shape` of a model for this set."""
        return tuple(self.x_train.shape[1:])

    @property
    def num_classes(self) -> int:
        """Largest label of both splits, plus 1: a few samples may lack a class."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    def validation_split(self, fraction: float = 0.1, seed: int = 0) -> Dataset:
        """Hold out part of the training split, to choose settings on.

        Args:
            fraction: Held-out part of the training split, in (0, 1).
            seed: Seed of the shuffle that picks the held-out samples.

        Returns:
            A `Dataset` whose *test* arrays are the held-out samples: whatever is
            tuned on it has never seen this set's own test split.

        Raises:
            ValueError: `fraction` leaves one of the two parts empty.
        """
        total = len(self.x_train)
        held_out = round(fraction * total)
        if not 0 < held_out < total:
            raise ValueError(
                "fraction must leave samples on both sides of the split. Received: "
                f"fraction={fraction!r} of {total} samples. Use a value in (0, 1)."
            )
        order = np.random.default_rng(seed).permutation(total)
        # Sorted, so that both parts keep the order of the data set.
        test, train = np.sort(order[:held_out]), np.sort(order[held_out:])
        return Dataset(
            self.x_train[train],
            self.y_train[train],
            self.x_train[test],
            self.y_train[test],
            name=f"{self.name}/validation",
            feature_names=self.feature_names,
        )

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, train={len(self.x_train)}, "
            f"test={len(self.x_test)}, sample_shape={self.sample_shape}, "
            f"classes={self.num_classes})"
        )


def check_available(name: str, samples: int, available: int) -> None:
    """Refuse a number of samples that the training split does not hold.

    Raises:
        ValueError: `samples` exceeds `available`.
    """
    if samples > available:
        raise ValueError(
            f"samples={samples} asks for more than there is: the training split of "
            f"{name!r} holds {available}. Use samples <= {available}."
        )


def prepared_folder(data_dir: str | os.PathLike[str] | None) -> str | None:
    """Return `data_dir`, else `TFDS_DATA_DIR`, else None: TFDS's own default."""
    folder = data_dir or os.environ.get("TFDS_DATA_DIR")
    return str(Path(folder).expanduser()) if folder else None
