"""How often a classifier errs, and whether examples keep their class."""

from __future__ import annotations

import keras
import numpy as np

from ..datasets.pipelines import predict


def error_rate(
    model: keras.Model, x: np.ndarray, y: np.ndarray, batch_size: int = 1000
) -> float:
    """Share of samples that are not given their class.

    Args:
        model: returns ``(batch, classes)``; the largest output is the prediction.
        x: ``(N, *shape)``.
        y: ``(N,)`` class numbers.
        batch_size: samples per forward pass.

    Returns:
        The share, in [0, 1]; NaN where an output is not finite.

    Raises:
        ValueError: no sample, another number of labels, or labels that are no class
            numbers, such as Keras's of shape ``(N, 1)``: pass ``y.ravel()``; or a model
            without an output for each of two classes or more.
    """
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(
            "`x` and `y` must have the same number of rows, one or more. "
            f"Received: x of shape {x.shape}, y of shape {np.shape(y)}"
        )
    y = check_class_numbers("y", y, x)
    outputs = class_outputs(model, x, batch_size)
    if not np.all(np.isfinite(outputs)):
        return float("nan")
    return float(np.mean(outputs.argmax(axis=1) != y))


def label_agreement(
    judge: keras.Model, x: np.ndarray, examples: np.ndarray, batch_size: int = 1000
) -> float:
    """Share of examples to which an independent classifier gives the class of x.

    Examples that are to be predicted like their sample should still be of its class.
    The classifier in training is no judge of that: it was trained to agree.

    Args:
        judge: returns ``(batch, classes)``; trained apart, best on many labels.
        x: ``(N, *shape)``.
        examples: ``(N, *shape)``.
        batch_size: samples per forward pass.

    Returns:
        The share, in [0, 1].
    """
    predictions = class_outputs(judge, x, batch_size).argmax(axis=1)
    return 1.0 - error_rate(judge, examples, predictions, batch_size)


def class_outputs(model: keras.Model, x: np.ndarray, batch_size: int) -> np.ndarray:
    """A classifier's outputs ``(N, classes)``, of which the largest is meant.

    Raises:
        ValueError: outputs of another kind.
    """
    outputs = predict(model, x, batch_size)
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise ValueError(
            "The model must return one output per class, (N, classes), two classes or "
            f"more. {model.name!r} returns shape {outputs.shape}. Of one sigmoid p "
            "make two: [1 - p, p]."
        )
    return outputs


def check_class_numbers(
    name: str, labels: np.ndarray | None, features: np.ndarray
) -> np.ndarray:
    """Class numbers, one for each row of features."""
    if labels is None:
        raise ValueError(
            f"`{name}` is missing. Features are judged by labels: pass class numbers, "
            f"shape ({len(features)},)."
        )
    labels = np.asarray(labels)
    if labels.shape != (len(features),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must hold class numbers, integers of shape ({len(features)},). "
            f"Received: shape {labels.shape}, dtype {labels.dtype}"
        )
    if labels.size and labels.min() < 0:
        raise ValueError(
            f"`{name}` must hold class numbers, from 0. Received: {labels.min()} at "
            f"sample {int(labels.argmin())}. Number the classes 0, 1, ..., and leave "
            "out samples without a label."
        )
    return labels
