"""How a classifier's accuracy falls as an adversary's budget grows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from ..attacks import AttackResult, PGDAttack
from ..criteria import UntargetedMargin

#: Radii of the published curve, in 1/255 (SPEC 2.7.5).
EPSILONS = tuple(number / 255 for number in (1, 2, 4, 6, 8, 10, 12, 14, 16))


class RobustnessCurve:
    """Accuracy under projected gradient descent within growing L-infinity balls.

    Random start and steps of ``min(0.01, 2.5 epsilon / steps)``: the published 0.01 is
    longer than the two smallest radii. The attack is traced once, for all radii and
    all calls, so the classifier may be given other weights in between.

    Args:
        classifier: returns logits ``(batch, C)``; attacked as a whole, a linear head
            with its encoder.
        epsilons: radii, in units of x.
        steps: iterations for each radius.
        batch_size: samples per compiled call.
        seed: of the starts.

    Cost:
        ``N x steps`` forward and backward passes for each radius.

    Reference:
        SPEC 2.7.5, 6.12.
    """

    def __init__(
        self,
        classifier: keras.Model,
        epsilons: Sequence[float] = EPSILONS,
        steps: int = 100,
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        self.criterion = UntargetedMargin(classifier)
        self.epsilons = epsilons
        self.batch_size = batch_size
        self.attack = PGDAttack(self.criterion, steps=steps, seed=seed)
        # In the place of numbers, which would be part of the traced graph.
        self.attack.epsilon = tf.Variable(0.0, trainable=False)
        self.attack.step_size = tf.Variable(0.0, trainable=False)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> list[dict[str, float]]:
        """Measures the curve.

        Args:
            x: ``(N, *shape)`` in [0, 1].
            y: ``(N,)`` class numbers.

        Returns:
            For each radius, 0 first: ``epsilon``; ``accuracy``, the share of all
            samples that keep their class; ``accuracy_of_correct``, the share among
            those that had it (NaN where none had). A sample counts as lost if it was
            wrong to begin with, or if its logits were NaN or infinite on the way.

        Raises:
            ValueError: labels or logits that do not fit.
        """
        margins, _ = self.criterion.evaluate(x, x, y, self.batch_size)
        is_correct = margins > 0.0
        curve = [_point(0.0, is_correct, is_correct)]
        for epsilon in self.epsilons:
            is_kept = is_correct.copy()
            if is_correct.any():
                rows = np.flatnonzero(is_correct)
                is_kept[rows] = self._is_kept(x, y, rows, epsilon)
            curve.append(_point(float(epsilon), is_kept, is_correct))
        return curve

    def _is_kept(
        self, x: np.ndarray, y: np.ndarray, rows: np.ndarray, epsilon: float
    ) -> np.ndarray:
        self.attack.epsilon.assign(epsilon)
        self.attack.step_size.assign(min(0.01, 2.5 * epsilon / self.attack.steps))
        # However many were correct: fewer rows than a batch would be a new shape, and
        # so a new trace of the attack.
        size = min(self.batch_size, len(x))
        padded = np.pad(rows, (0, max(size - len(rows), 0)), mode="edge")
        with warnings.catch_warnings():
            # That a small radius changes no class is a result here.
            warnings.filterwarnings("ignore", "The attack succeeded on no sample")
            result = self.attack(
                x[padded], y[padded], batch_size=size, sample_ids=padded
            )
        return _withstood(result)[: len(rows)]


def robust_accuracy(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float = 0.3,
    steps: int = 40,
    step_size: float = 0.01,
    restarts: int = 5,
    seed: int = 0,
) -> float:
    """The share of samples on which PGD finds no adversarial example.

    Args:
        model: a classifier that returns logits.
        x: ``(N, *shape)`` in [0, 1].
        y: ``(N,)`` labels; samples that are misclassified as they are, or whose logits
            are NaN or infinite on the way, count as found.
        epsilon: L-infinity bound.
        steps: iterations of PGD; the defaults are the usual ones for MNIST.
        step_size: of PGD.
        restarts: starts; a sample stands if it withstands all of them.
        seed: of the starts.

    Cost:
        ``N x steps x restarts`` forward and backward passes.

    Reference:
        Madry et al., ICLR 2018; SPEC 4.19 j.
    """
    criterion, size = UntargetedMargin(model), min(500, len(x))
    attack = PGDAttack(
        criterion,
        epsilon=epsilon,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        seed=seed,
    )
    result = attack(x, y, batch_size=size)
    # A random start may lead a wrong sample back to its class.
    margins, _ = criterion.evaluate(x, x, y, size)
    return float(np.mean((margins > 0.0) & _withstood(result)))


def _withstood(result: AttackResult) -> np.ndarray:
    return ~result.success & result.is_finite


def _point(
    epsilon: float, is_kept: np.ndarray, is_correct: np.ndarray
) -> dict[str, float]:
    correct = int(is_correct.sum())
    return {
        "epsilon": epsilon,
        "accuracy": float(is_kept.mean()),
        "accuracy_of_correct": float(is_kept.sum() / correct) if correct else np.nan,
    }
