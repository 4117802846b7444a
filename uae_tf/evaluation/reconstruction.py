"""How well a model reconstructs, and how far examples are from their samples."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..datasets.pipelines import predict
from ..mine import gaussian_mutual_information
from ..ops import cosine, l2_norm, linf_norm


def reconstruction_errors(
    model: keras.Model, x: np.ndarray, batch_size: int = 1000
) -> np.ndarray:
    """Mean squared error per entry of each sample's reconstruction.

    Args:
        model: maps ``(batch, *shape)`` to the same shape.
        x: ``(N, *shape)``.
        batch_size: samples per forward pass.

    Returns:
        ``(N,)`` float64; its mean is the test error of the paper's tables (SPEC 3.8).

    Raises:
        ValueError: no sample, or outputs of another shape.
    """
    if len(x) == 0:
        raise ValueError(f"`x` holds no sample. Received: x of shape {x.shape}")
    errors = []
    for start in range(0, len(x), 10 * batch_size):
        part = x[start : start + 10 * batch_size]
        output = predict(model, part, batch_size)
        # Numpy would stretch an axis that only one of them has.
        if output.shape != part.shape:
            raise ValueError(
                f"`model` must return samples of the shape it is given. {model.name!r} "
                f"returns shape {output.shape} for x of shape {part.shape}."
            )
        squares = np.square(output.astype(np.float64) - part)
        errors.append(squares.reshape(len(part), -1).mean(axis=1))
    return np.concatenate(errors)


def measure_examples(
    criterion: Criterion, x: np.ndarray, examples: np.ndarray
) -> dict[str, np.ndarray]:
    """What examples are to a model, by plain forward passes outside of any attack.

    Args:
        criterion: with the model. Rounding is forgiven: f may exceed 0 by a millionth
            of the clean sample's loss.
        x: ``(N, *shape)``.
        examples: ``(N, *shape)``; one that equals its sample is no success, nor one
            whose f is not finite.

    Returns:
        ``(N,)`` each: ``success`` (bool), ``relative_loss_change``, in which the
        criterion's kappa plays no part, and what :func:`perturbation_sizes` gives.
    """
    f, baseline = criterion.evaluate(x, examples)
    # Where a failure was replaced by x, f is exactly 0. In float32, as f is.
    clean, found = (np.asarray(a, np.float32) for a in (x, examples))
    moved = np.any((found != clean).reshape(len(x), -1), axis=1)
    return {
        "success": (f <= 1e-6 * baseline) & np.isfinite(f) & moved,
        "relative_loss_change": (f - criterion.kappa) / np.maximum(baseline, 1e-12),
        **perturbation_sizes(x, examples),
    }


def perturbation_sizes(x: np.ndarray, examples: np.ndarray) -> dict[str, np.ndarray]:
    """Distance and similarity between samples and examples, the same for every arm.

    Args:
        x: ``(N, *shape)``.
        examples: ``(N, *shape)``.

    Returns:
        ``(N,)`` each: ``l2`` and ``linf`` of delta, ``cosine`` of the two, and
        ``mutual_information`` in nats per Gaussian measurement (closed form, SPEC 4.5).

    Raises:
        ValueError: shapes that differ, or no sample.

    Example:
        >>> x, examples = np.array([[3.0, 0.0]]), np.array([[3.0, 4.0]])
        >>> {name: round(float(v[0]), 2) for name, v in perturbation_sizes(
        ...     x, examples).items()}
        {'l2': 4.0, 'linf': 4.0, 'cosine': 0.6, 'mutual_information': 0.22}
    """
    if x.shape != examples.shape or len(x) == 0:
        raise ValueError(
            "`x` and `examples` must be samples of the same shape, one or more. "
            f"Received: x of shape {x.shape}, examples of shape {examples.shape}"
        )
    parts = []
    for start in range(0, len(x), 2000):
        rows = slice(start, start + 2000)
        clean, moved = (tf.constant(a[rows], tf.float32) for a in (x, examples))
        rho = cosine(clean, moved)
        delta = moved - clean
        parts.append(
            {
                "l2": l2_norm(delta).numpy(),
                "linf": linf_norm(delta).numpy(),
                "cosine": rho.numpy(),
                "mutual_information": gaussian_mutual_information(rho).numpy(),
            }
        )
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
