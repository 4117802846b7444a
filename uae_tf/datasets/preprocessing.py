"""Before training: missing values, scales, sizes of images, whitening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# What the published code writes in the place of a missing value.
_MARK = -100000.0


def scale(
    train: np.ndarray, test: np.ndarray, fit_on_all: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Map every feature to [0, 1] by its smallest and largest training value.

    Args:
        train: (N, d).
        test: (M, d); what lies outside the training range is clipped to it.
        fit_on_all: Take the range over both, as the published code does (SPEC 3.11):
            nothing is clipped then, and the test split has been looked at.

    Returns:
        Both as float32. A feature that never changes is 0.

    Example:
        >>> train, test = scale(np.array([[1.0], [3.0]]), np.array([[2.0], [9.0]]))
        >>> train.ravel().tolist(), test.ravel().tolist()
        ([0.0, 1.0], [0.5, 1.0])
    """
    seen = np.concatenate([train, test]) if fit_on_all else train
    low, high = seen.min(axis=0), seen.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    # In double precision: a range squeezed by a mark of -1e5 would lose its digits.
    parts = [(np.clip(x, low, high) - low) / width for x in (train, test)]
    return parts[0].astype(np.float32), parts[1].astype(np.float32)


def impute(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fill NaN: in training rows by the mean of their class, in test rows of all.

    All means are of training values. A test row's class is what is to be predicted
    from it, so it plays no part.

    Args:
        train: (N, d), NaN where a value is missing.
        labels: (N,) classes of the training rows.
        test: (M, d), NaN where a value is missing.

    Returns:
        Copies of both without NaN.

    Raises:
        ValueError: A feature has no training value at all.

    Example:
        >>> nan = float("nan")
        >>> train = np.array([[1.0], [nan], [5.0], [5.0]])
        >>> train, test = impute(train, np.array([0, 0, 1, 1]), np.array([[nan]]))
        >>> train.ravel().tolist(), round(float(test[0, 0]), 2)
        ([1.0, 1.0, 5.0, 5.0], 3.67)
    """
    empty = np.flatnonzero(np.isnan(train).all(axis=0))
    if len(empty):
        raise ValueError(
            "Every feature must have a value in some training row. Received: "
            f"{len(train)} rows without one in column {', '.join(map(str, empty))}."
        )
    overall = np.nanmean(train, axis=0)
    filled = train.copy()
    for label in np.unique(labels):
        rows = labels == label
        known = ~np.isnan(train[rows])
        # Of a class without a single value, the mean of all.
        sums = np.where(known, train[rows], 0.0).sum(axis=0)
        counts = known.sum(axis=0)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        filled[rows] = np.where(known, train[rows], means)
    return filled, np.where(np.isnan(test), overall, test)


def impute_as_published(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fill NaN as the published code does, its mistake included (SPEC 3.14).

    Missing values are marked by -100,000 and then replaced, one after the other, by a
    class mean that still contains the marks: filled values go down to about -50,000.

    Args:
        x: (N, d), NaN where a value is missing.
        labels: (N,) classes.

    Returns:
        (N, d) without NaN.
    """
    filled = np.where(np.isnan(x), _MARK, x)
    for row, column in np.argwhere(np.isnan(x)):
        filled[row, column] = filled[labels == labels[row], column].mean()
    return filled


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize grey images with Pillow's bicubic filter (SPEC 3.12).

    The published code takes Pillow's default, which has changed; this one is fixed.

    Args:
        images: (N, height, width, 1) uint8.
        size: New height and width.

    Returns:
        (N, *size, 1) uint8.
    """
    from PIL import Image

    shape = (size[1], size[0])
    small = [
        np.asarray(
            Image.fromarray(image[..., 0]).resize(shape, Image.Resampling.BICUBIC)
        )
        for image in images
    ]
    return np.stack(small)[..., np.newaxis]


def average_down(images: np.ndarray, side: int) -> np.ndarray:
    """Make square images smaller, each new pixel the mean of a block of old ones.

    Args:
        images: (N, height, width, channels), float.
        side: New height and width, a divisor of both.

    Returns:
        (N, side, side, channels), in the dtype of `images`.

    Raises:
        ValueError: `side` is no divisor.
    """
    count, height, width, channels = images.shape
    if side < 1 or height % side or width % side:
        raise ValueError(
            f"side must divide height and width, {height} and {width}. "
            f"Received: side={side}."
        )
    blocks = (count, side, height // side, side, width // side, channels)
    return images.reshape(blocks).mean(axis=(2, 4), dtype=images.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class ZCAWhitening:
    """Decorrelate samples and give each direction of their space variance 1.

    Of all such maps the one that changes samples least, so images stay images. A step
    of some length is then as long, in standard deviations, in each direction; on the
    pixels of images it would go along the finest ones, which hardly vary.

    Args:
        mean: (d,) of the samples it was fitted to.
        whitening: (d, d), symmetric.
        colouring: (d, d), its inverse.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(500, 2)) @ [[3, 1], [0, 1]]
        >>> whitening = ZCAWhitening.fit(x)
        >>> np.cov(whitening(x).T).round(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        >>> bool(np.allclose(whitening.restore(whitening(x)), x, atol=1e-4))
        True

    Reference:
        SPEC 7.1.6, with its proposal where the regularisation goes.
    """

    mean: np.ndarray
    whitening: np.ndarray
    colouring: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, regularisation: float = 1e-5) -> ZCAWhitening:
        """Find the map for samples.

        Args:
            x: (N, *shape).
            regularisation: Added to the variance of every direction, in squared units
                of `x`, so that those that hardly vary are not blown up.

        Raises:
            ValueError: `regularisation` is 0, and a direction does not vary.

        Cost:
            Of order N d^2 + d^3 in time; three (d, d) matrices and a copy of `x`.
        """
        flat = x.reshape(len(x), -1).astype(np.float32)
        mean = flat.mean(axis=0)
        flat = flat - mean
        covariance = (flat.T @ flat / max(len(x) - 1, 1)).astype(np.float64)
        variances, directions = np.linalg.eigh(covariance)
        deviations = np.sqrt(np.maximum(variances, 0.0) + regularisation)
        if not deviations.all():
            raise ValueError(
                "regularisation must be above 0 where samples do not vary in each "
                f"direction. Received: regularisation={regularisation}."
            )
        return cls(
            mean,
            ((directions / deviations) @ directions.T).astype(np.float32),
            ((directions * deviations) @ directions.T).astype(np.float32),
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return whitened samples, (N, *shape) float32."""
        flat = x.reshape(len(x), -1) - self.mean
        return (flat @ self.whitening).astype(np.float32).reshape(x.shape)

    def restore(self, x: np.ndarray) -> np.ndarray:
        """Return the samples that whitened ones belong to, (N, *shape) float32."""
        flat = x.reshape(len(x), -1) @ self.colouring + self.mean
        return flat.astype(np.float32).reshape(x.shape)
