"""Distances between two sets of images, measured on features of a network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class KernelDistance(NamedTuple):
    """A kernel distance: mean and standard deviation over subsets."""

    mean: float
    std: float


def frechet_distance(features: np.ndarray, reference: np.ndarray) -> float:
    r"""Frechet distance of the Gaussians fitted to two sets of features.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2))``. With Inception's
    features it is called FID; with others it is not comparable with published FIDs.

    Args:
        features: ``(N, d)``.
        reference: ``(M, d)``.

    Returns:
        The distance, >= 0, computed in float64. It is biased upward, the more the
        closer N comes to d: compare only values of equal N.

    Raises:
        ValueError: not two sets of finite vectors of one length, or as few samples as
            features: the covariance would be singular.

    Cost:
        O((N + M) d^2 + d^3).

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(frechet_distance(x, 2.0 + x), 6)
        12.0

    Reference:
        Heusel et al., NeurIPS 2017; SPEC 9.
    """
    features, reference = _checked(features, reference)
    fewest = min(len(features), len(reference))
    if fewest <= features.shape[1]:
        raise ValueError(
            "A Frechet distance needs more samples than features. Received: "
            f"{fewest} samples of {features.shape[1]} features. Use more samples, a "
            "layer with fewer units, or the kernel distance."
        )
    difference = features.mean(axis=0) - reference.mean(axis=0)
    covariance = np.atleast_2d(np.cov(features, rowvar=False))
    other = np.atleast_2d(np.cov(reference, rowvar=False))
    # The symmetric form: its eigenvalues are real, whatever the rounding.
    root = _square_root(covariance)
    values = np.linalg.eigvalsh(root @ other @ root)
    cross = np.sqrt(np.maximum(values, 0.0)).sum()
    distance = difference @ difference + np.trace(covariance) + np.trace(other)
    return max(float(distance - 2.0 * cross), 0.0)


def kernel_distance(
    features: np.ndarray,
    reference: np.ndarray,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel ``(x . y / d + 1)^3``.

    With Inception's features it is called KID. The estimate is unbiased, so it can be
    below 0 where the two sets are of one distribution.

    Args:
        features: ``(N, d)``.
        reference: ``(M, d)``.
        subsets: random subsets, of each side, that the estimate is averaged over.
        subset_size: samples of a subset, at most N and M; fewer where there are fewer.
        seed: of the subsets.

    Returns:
        Mean and standard deviation over the subsets, computed in float64.

    Raises:
        ValueError: not two sets of finite vectors of one length, or fewer than 2.

    Cost:
        O(subsets x subset_size^2 d).

    Reference:
        Binkowski et al., ICLR 2018; SPEC 9.1.
    """
    features, reference = _checked(features, reference)
    size = min(subset_size, len(features), len(reference))
    if size < 2 or subsets < 1:
        raise ValueError(
            "A kernel distance needs subsets of 2 samples or more, and one subset or "
            f"more. Received: subsets={subsets} of {size} samples."
        )
    rng = np.random.default_rng(seed)
    estimates = [
        _squared_discrepancy(
            features[rng.choice(len(features), size, replace=False)],
            reference[rng.choice(len(reference), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(estimates)), float(np.std(estimates)))


def _squared_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    count = len(x)
    within = sum(
        (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
        for kernel in (_kernel(x, x), _kernel(y, y))
    )
    return float(within - 2.0 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _square_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _checked(
    features: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(a, np.float64) for a in (features, reference))
    shapes = f"features of shape {first.shape}, reference of shape {second.shape}"
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            "`features` and `reference` must be (samples, features) with equally many "
            f"features. Received: {shapes}"
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(
            f"Two samples or more are needed on either side. Received: {shapes}"
        )
    for name, values in (("features", first), ("reference", second)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise ValueError(
                f"`{name}` must be finite. Received: NaN or infinity in "
                f"{bad.size} samples, the first of them sample {bad[0]}."
            )
    return first, second
