"""How a classifier's accuracy falls as an adversary's budget grows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import keras
import numpy as np

from ..attacks import PGDAttack
from ..criteria import UntargetedMargin

#: Radii of the published curve, in 1/255 (SPEC 2.7.5).
EPSILONS = tuple(number / 255 for number in (1, 2, 4, 6, 8, 10, 12, 14, 16))


def robustness_curve(
    classifier: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilons: Sequence[float] = EPSILONS,
    steps: int = 100,
    batch_size: int = 256,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Accuracy under projected gradient descent within growing L-infinity balls.

    Random start and steps of ``min(0.01, 2.5 epsilon / steps)``: the published 0.01 is
    longer than the two smallest radii.

    Args:
        classifier: returns logits ``(batch, C)``; attacked as a whole, a linear head
            with its encoder.
        x: ``(N, *shape)`` in [0, 1].
        y: ``(N,)`` class numbers.
        epsilons: radii, in units of x.
        steps: iterations for each radius.
        batch_size: samples per compiled call.
        seed: of the starts.

    Returns:
        For each radius, 0 first: ``epsilon``; ``accuracy``, the share of all samples
        that keep their class; ``accuracy_of_correct``, the share among those that had
        it (NaN where none had). A sample counts as lost if it was wrong to begin with.

    Raises:
        ValueError: labels or logits that do not fit.

    Cost:
        ``N x steps`` forward and backward passes for each radius.

    Reference:
        SPEC 2.7.5, 6.12.
    """
    criterion = UntargetedMargin(classifier)
    margins, _ = criterion.evaluate(x, x, y, batch_size)
    is_correct = margins > 0.0
    curve = [_point(0.0, is_correct, is_correct)]
    for epsilon in epsilons:
        is_kept = is_correct.copy()
        if is_correct.any():
            attack = PGDAttack(
                criterion,
                epsilon=epsilon,
                steps=steps,
                step_size=min(0.01, 2.5 * epsilon / steps),
                seed=seed,
            )
            size = min(batch_size, int(is_correct.sum()))
            rows = np.flatnonzero(is_correct)
            with warnings.catch_warnings():
                # That a small radius changes no class is a result here.
                warnings.filterwarnings("ignore", "The attack succeeded on no sample")
                found = attack(x[rows], y[rows], batch_size=size, sample_ids=rows)
            is_kept[rows] = ~found.success
        curve.append(_point(float(epsilon), is_kept, is_correct))
    return curve


def _point(
    epsilon: float, is_kept: np.ndarray, is_correct: np.ndarray
) -> dict[str, float]:
    correct = int(is_correct.sum())
    return {
        "epsilon": epsilon,
        "accuracy": float(is_kept.mean()),
        "accuracy_of_correct": float(is_kept.sum() / correct) if correct else np.nan,
    }
