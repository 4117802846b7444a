"""What an encoder says of samples: features, and how good neighbours they are."""

from __future__ import annotations

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..datasets.pipelines import predict
from .classification import check_class_numbers

#: Test samples compared with all training samples at a time.
_ROWS = 1000


def embed(encoder: keras.Model, x: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Features of samples, in inference mode.

    Args:
        encoder: maps ``(batch, *shape)`` to ``(batch, d)``; of a SimCLR its
            ``encoder``.
        x: ``(N, *shape)``.
        batch_size: samples per forward pass.

    Returns:
        ``(N, d)`` float32.

    Raises:
        ValueError: no sample, or features that are no vectors or not finite.
    """
    if len(x) == 0:
        raise ValueError(f"`x` holds no sample. Received: x of shape {x.shape}")
    features = predict(encoder, x, batch_size)
    features = np.asarray(features, np.float32)
    if features.ndim != 2:
        raise ValueError(
            "`encoder` must return one vector per sample, (N, d). "
            f"{encoder.name!r} returns an array of shape {features.shape}."
        )
    if not np.all(np.isfinite(features)):
        raise ValueError(f"Features of {encoder.name!r} are not finite.")
    return features


def knn_accuracy(
    train_features: np.ndarray,
    y_train: np.ndarray | None,
    test_features: np.ndarray,
    y_test: np.ndarray | None,
    k: int = 200,
    temperature: float = 0.1,
) -> float:
    """Accuracy of weighted nearest neighbours by cosine similarity.

    The k training samples most alike vote for their class with weight
    ``exp(cosine / temperature)``. Nothing is fitted.

    Args:
        train_features: ``(N, d)``.
        y_train: ``(N,)`` class numbers.
        test_features: ``(M, d)``.
        y_test: ``(M,)`` class numbers.
        k: neighbours; 200 as usual for CIFAR-10, at most N.
        temperature: of the votes; 0.1 as usual.

    Returns:
        The share of test samples given their class, in [0, 1].

    Raises:
        ValueError: labels missing or of another number, features that are not finite,
            k not in 1 ... N.

    Example:
        >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> labels = np.array([0, 0, 1])
        >>> knn_accuracy(features, labels, features, labels, k=1)
        1.0

    Reference:
        Wu et al., CVPR 2018, section 3.4.
    """
    y_train = check_class_numbers("y_train", y_train, train_features)
    y_test = check_class_numbers("y_test", y_test, test_features)
    if not 1 <= k <= len(y_train):
        raise ValueError(
            f"`k` must lie in 1 ... {len(y_train)}, the training samples. "
            f"Received: k={k}"
        )
    train = _normalised("train_features", train_features)
    test = _normalised("test_features", test_features)
    votes_of = np.eye(int(y_train.max()) + 1, dtype=np.float32)[y_train]
    correct = 0
    for start in range(0, len(test), _ROWS):
        rows = slice(start, start + _ROWS)
        cosines = test[rows] @ train.T
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(cosines, nearest, axis=1)
        # Less the largest, or a low temperature is too much for float32.
        weights = np.exp((found - found.max(axis=1, keepdims=True)) / temperature)
        votes = np.einsum("nk,nkc->nc", weights, votes_of[nearest])
        correct += int(np.sum(votes.argmax(axis=1) == y_test[rows]))
    return correct / len(y_test)


def logistic_probe(
    train_features: np.ndarray, y_train: np.ndarray | None, penalty: float = 1e-3
) -> Pipeline:
    """A linear classifier of features, fitted to its optimum by scikit-learn.

    No schedule, no seed: the second opinion beside
    :func:`~uae_tf.evaluation.linear_probe.linear_probe`.

    Args:
        train_features: ``(N, d)``; standardised first.
        y_train: ``(N,)`` class numbers.
        penalty: weight of half the squared norm of the weights, per sample.

    Returns:
        A fitted classifier, with ``score(features, labels)``.

    Raises:
        ValueError: labels missing or of another number.
    """
    y_train = check_class_numbers("y_train", y_train, train_features)
    inverse = 1.0 / (penalty * len(y_train))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=inverse, max_iter=500))
    return model.fit(train_features, y_train)


def _normalised(name: str, features: np.ndarray) -> np.ndarray:
    # Squares of half precision overflow, and 1e-12 is 0 there.
    wide = np.asarray(features, np.float64)
    bad = np.flatnonzero(~np.isfinite(wide).all(axis=1))
    if bad.size:
        raise ValueError(
            f"`{name}` must be finite. Received: NaN or infinity in {bad.size} "
            f"samples, the first of them sample {bad[0]}."
        )
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.maximum(norms, 1e-12)).astype(np.float32)
