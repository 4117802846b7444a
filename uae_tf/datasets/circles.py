"""Two concentric circles: the smallest data set on which few labels are too few."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset, check_available

TRAIN_SAMPLES, TEST_SAMPLES = 1500, 2000


def load_circles(
    seed: int = 0,
    samples: int | None = None,
    noise: float = 0.06,
    factor: float = 0.8,
) -> Dataset:
    """Draw two circles of radius 1 (class 0) and `factor` (class 1), with noise.

    Unlike the image sets, the points do not lie in [0, 1].

    Args:
        seed: Seed of the points. Train and test are drawn apart.
        samples: Keep only the first `samples` of the 1500 training points.
        noise: Standard deviation of the Gaussian noise on both coordinates, >= 0.
        factor: Radius of the inner circle, in (0, 1).

    Returns:
        A `Dataset` of 1500 training and 2000 test points of shape (2,).

    Raises:
        ValueError: A number out of range.

    Reference:
        SPEC 7.2.2 and 7.2.5: with a factor of 0.8 and noise of 0.06 the best
        classifier errs on 4.78 %, Q((1 - factor) / (2 noise)).
    """
    from sklearn.datasets import make_circles

    if not (noise >= 0 and 0 < factor < 1):
        raise ValueError(
            "noise must be at least 0, and factor lie in (0, 1). "
            f"Received: noise={noise}, factor={factor}."
        )
    parts = []
    for count, state in zip(
        (TRAIN_SAMPLES, TEST_SAMPLES),
        np.random.SeedSequence(seed).generate_state(2),
        strict=True,
    ):
        points, labels = make_circles(
            count, noise=noise, factor=factor, random_state=int(state)
        )
        parts += [points.astype(np.float32), labels.astype(np.int64)]
    x_train, y_train, x_test, y_test = parts
    if samples is not None:
        check_available("circles", samples, len(x_train))
        x_train, y_train = x_train[:samples], y_train[:samples]
    return Dataset(x_train, y_train, x_test, y_test, name="circles")
