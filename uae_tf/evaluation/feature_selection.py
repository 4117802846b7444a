"""How much a choice of features tells of the others, and of the classes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression

from ..datasets import Dataset

#: Trees of the classifier, as in the concrete autoencoder's own evaluation (SPEC 5.6).
NUM_TREES = 50


def selection_quality(
    data: Dataset, features: Sequence[int] | np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Judge selected features by two models that know nothing of their choice.

    Args:
        data: a labelled set; samples of any shape, looked at as vectors.
        features: positions in the flattened sample; one that comes twice counts once.
        seed: of the trees.

    Returns:
        ``linear_error``: mean squared error per feature of an unregularised linear
        regression from the selected to all features, fitted on the training split and
        judged on the test split. ``accuracy``: of 50 extremely randomised trees on the
        selected features, likewise. ``distinct``: number of different features.

    Raises:
        ValueError: no feature, or one that is not there.

    Cost:
        The trees: O(N log N) each; about 10 s for 60,000 samples and 50 features.

    Example:
        >>> import uae_tf
        >>> data = uae_tf.datasets.load("digits", samples=200)
        >>> found = selection_quality(data, [20, 21, 36, 42, 42])
        >>> found["distinct"], 0.3 < found["accuracy"] < 0.9
        (4.0, True)

    Reference:
        SPEC 5.6, 5.7.
    """
    train, test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_test))
    positions = np.asarray(features)
    if positions.size and positions.dtype.kind not in "iu":
        raise ValueError(
            "`features` must be positions, whole numbers. Received: dtype "
            f"{positions.dtype}. Of a mask pass np.flatnonzero(mask)."
        )
    chosen = np.unique(positions.astype(np.int64))
    if not len(chosen) or chosen[0] < 0 or chosen[-1] >= train.shape[1]:
        raise ValueError(
            f"`features` must be positions from 0 to {train.shape[1] - 1}, one or more."
            f" Received: {np.asarray(features)}"
        )
    # In single precision a feature that training samples hardly vary in may count, with
    # coefficients of thousands.
    wide = train.astype(np.float64)
    linear = LinearRegression().fit(wide[:, chosen], wide)
    squares = np.square(linear.predict(test[:, chosen].astype(np.float64)) - test)
    # In a worker the other cores have work of their own, and scikit-learn would warn.
    jobs = 1 if multiprocessing.current_process().daemon else -1
    trees = ExtraTreesClassifier(NUM_TREES, random_state=seed, n_jobs=jobs)
    trees.fit(train[:, chosen], data.y_train)
    return {
        "linear_error": float(squares.mean()),
        "accuracy": float(trees.score(test[:, chosen], data.y_test)),
        "distinct": float(len(chosen)),
    }
