"""Take most labels away: the splits of semi-supervised learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .dataset import Dataset


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedSplit:
    """Hold a training set of which few samples have a label.

    Args:
        x_labelled: (L, *shape).
        y_labelled: (L,) int64.
        x_unlabelled: (U, *shape), the labelled samples among them.
        x_validation: (V, *shape), to choose settings on; in neither of the two above.
        y_validation: (V,) int64.
        x_test: (T, *shape).
        y_test: (T,) int64.
        name: Name of the data set.
        num_classes: Number of classes.
    """

    x_labelled: np.ndarray
    y_labelled: np.ndarray
    x_unlabelled: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    num_classes: int

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.x_labelled.shape[1:])

    def __repr__(self) -> str:
        return (
            f"SemiSupervisedSplit({self.name!r}, labelled={len(self.x_labelled)}, "
            f"unlabelled={len(self.x_unlabelled)}, "
            f"validation={len(self.x_validation)}, test={len(self.x_test)})"
        )


def semi_supervised_split(
    data: Dataset,
    labels_per_class: int,
    validation: int = 0,
    balanced: bool = True,
    seed: int = 0,
) -> SemiSupervisedSplit:
    """Keep a few labels of the training split, and hold out some to validate on.

    Args:
        data: Any data set.
        labels_per_class: Labelled samples per class, >= 1; without balance the mean
            number. Classes are those that the training split holds.
        validation: Training samples held out, drawn at random whatever their class.
            Defaults to 0, none.
        balanced: Whether each class has exactly `labels_per_class`. False draws
            `labels_per_class * num_classes` at random, as published for SVHN.
        seed: Seed of both draws.

    Returns:
        A `SemiSupervisedSplit`. The unlabelled samples are all that is not held out,
        the labelled ones included (SPEC 7.1.5), in the order of the data set.

    Raises:
        ValueError: A number out of range, a class with fewer samples than labels
            asked for, or, without balance, a class that got no label.

    Example:
        >>> from uae_tf import datasets
        >>> semi_supervised_split(datasets.load("digits"), 2, validation=100)
        SemiSupervisedSplit('digits', labelled=20, unlabelled=1337, validation=100,
            test=360)
    """
    classes, total = np.unique(data.y_train), len(data.x_train)
    if labels_per_class < 1:
        raise ValueError(
            "labels_per_class must be at least 1: a class without any label cannot be "
            f"learnt. Received: labels_per_class={labels_per_class}."
        )
    if not 0 <= validation < total:
        raise ValueError(
            "validation must be a number of samples that leaves some to train on. "
            f"Received: validation={validation} of {total} training samples."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(total)
    held_out, rest = order[:validation], order[validation:]
    labels = data.y_train[rest]
    draw = _balanced if balanced else _random
    labelled = np.sort(rest[draw(labels, classes, labels_per_class)])
    unlabelled = np.sort(rest)
    return SemiSupervisedSplit(
        x_labelled=data.x_train[labelled],
        y_labelled=data.y_train[labelled],
        x_unlabelled=data.x_train[unlabelled],
        x_validation=data.x_train[np.sort(held_out)],
        y_validation=data.y_train[np.sort(held_out)],
        x_test=data.x_test,
        y_test=data.y_test,
        name=data.name,
        num_classes=data.num_classes,
    )


def _balanced(labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    rows = []
    for number in classes:
        found = np.flatnonzero(labels == number)
        if len(found) < count:
            raise ValueError(
                f"labels_per_class={count} asks for more than there is: class "
                f"{number} has {len(found)} training samples. Use fewer labels, or "
                "balanced=False."
            )
        rows.append(found[:count])
    return np.concatenate(rows)


def _random(labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    if count * len(classes) > len(labels):
        raise ValueError(
            f"labels_per_class={count} asks for more than there is: {len(labels)} "
            f"training samples of {len(classes)} classes. Use fewer labels."
        )
    rows = np.arange(count * len(classes))
    missing = np.setdiff1d(classes, labels[rows])
    if len(missing):
        raise ValueError(
            f"Among {len(rows)} labels drawn at random there is none of class "
            f"{', '.join(map(str, missing))}, which could then never be predicted. Use "
            "balanced=True, more labels per class, or another seed."
        )
    return rows
