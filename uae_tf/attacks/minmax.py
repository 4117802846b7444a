"""Algorithm 1 of the paper: unsupervised (and supervised) MinMax attack."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..criteria import Criterion
from ..mine import Similarity
from ..types import PerSample, Samples, Seeds
from .attack import Outcome
from .descent import SimilarityDescent

PRESETS: dict[str, dict[str, Any]] = {
    # What the class does by itself.
    "default": {},
    # Algorithm 1 to the letter: delta_0 = 0, c_0 = 0 (SPEC 1.5, 1.6).
    "paper": {"initial_noise": 0.0, "initial_multiplier": 0.0},
    # The published code's start: Glorot-uniform noise, c_0 = 1e-3 (SPEC 2.2.1, 2.2.3).
    "published": {"initial_noise": "glorot", "initial_multiplier": 1e-3},
    # Large start noise, and a multiplier that brings such a start back to f <= 0.
    "strong": {"initial_noise": 0.5, "initial_multiplier": 100.0},
}


@keras.saving.register_keras_serializable("uae_tf")
class MinMaxAttack(SimilarityDescent):
    """Minimises similarity subject to the criterion, by gradient descent-ascent.

    ``min_delta max_{c >= 0}  c * f+(x + delta) + weight * I(x, x + delta)`` with
    ``|delta| <= epsilon`` and ``x + delta`` within the bounds; a criterion with
    ``maximizes_similarity`` turns the sign of I. One iteration t:

    1. ``delta <- project(delta - step_size * gradient)``, f+ having gradient 0 where
       f <= 0;
    2. f and I at the *new* delta, the critic trained on it;
    3. ``c <- max(0, (1 - beta / t^(1/4)) c + beta f+)``, beta = multiplier_step_size;
    4. among iterates with f <= 0 keep the one with the best I.

    Example, f and I of a result belong to one and the same iterate.

    Args:
        criterion: what success means, with the model.
        similarity: MINE() by default; GaussianMI(), L2Similarity(), or None for the
            criterion alone (the ablation "criterion_only": the best iterate is then
            the one with the lowest f).
        epsilon: L-infinity bound on delta, in units of x (paper: 1).
        steps: T, iterations (paper: 40).
        step_size: alpha (paper: 0.01).
        multiplier_step_size: beta, for c (paper: 0.1).
        initial_noise: delta starts uniform in [-initial_noise, initial_noise]; 0 as in
            the paper, where the attack starts as a trivial success; "glorot" as in the
            published code. Larger noise gives less similar examples.
        initial_multiplier: c_0 (paper: 0, published code: 1e-3). From 0, and with the
            paper's norms, c does not grow enough in 40 iterations: a convolutional
            autoencoder on MNIST gave success rates of 1 % from 0 and 100 % from 10.
        similarity_weight: factor of I against c * f+ (paper: 1).
        bounds: smallest and largest value of an example.
        restarts: runs from different noise; the best is kept for each sample.
        seed: base seed; see :class:`Attack`.

    Cost:
        ``steps`` forward and backward passes and one forward pass more, beside the
        similarity's own; memory O(batch x features).

    Example:
        >>> import keras, numpy as np
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([
        ...     keras.Input((8,)), keras.layers.Dense(8, "sigmoid")])
        >>> x = np.random.default_rng(0).uniform(size=(4, 8)).astype("float32")
        >>> from uae_tf import MinMaxAttack, Reconstruction, GaussianMI
        >>> attack = MinMaxAttack(Reconstruction(model), GaussianMI(), steps=5)
        >>> attack(x).examples.shape
        (4, 8)

    Reference:
        Hsu et al., AAAI 2022, Algorithm 1; SPEC 1.5, 1.6, 4.1-4.9. The published code
        mixes numbers of successive iterates and clips x + delta only (SPEC 2.8).
    """

    presets = PRESETS

    def __init__(
        self,
        criterion: Criterion,
        similarity: Similarity | str | None = "mine",
        *,
        epsilon: float = 1.0,
        steps: int = 40,
        step_size: float = 0.01,
        multiplier_step_size: float = 0.1,
        initial_noise: float | str = 0.1,
        initial_multiplier: float = 10.0,
        similarity_weight: float = 1.0,
        bounds: tuple[float, float] = (0.0, 1.0),
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(
            criterion,
            similarity,
            epsilon=epsilon,
            steps=steps,
            step_size=step_size,
            initial_noise=initial_noise,
            initial_multiplier=initial_multiplier,
            similarity_weight=similarity_weight,
            bounds=bounds,
            restarts=restarts,
            seed=seed,
        )
        self.multiplier_step_size = multiplier_step_size
        self._require_not_negative("multiplier_step_size")

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        clean = self._observe(x, y)
        multiplier = tf.fill(tf.shape(x)[:1], float(self.initial_multiplier))
        iterate, log = self._descend(
            self._start(clean, multiplier, seeds),
            clean,
            tf.TensorArray(tf.float32, self.steps + 1 if trace else 0),
            trace=trace,
        )
        rows = log.stack() if trace else None
        return self._outcome(iterate.best, iterate.is_finite, rows)

    def _next_multiplier(
        self, t: tf.Tensor, multiplier: PerSample, f: PerSample, is_finite: tf.Tensor
    ) -> PerSample:
        beta, step = self.multiplier_step_size, tf.cast(tf.maximum(t, 1), tf.float32)
        hinge = tf.nn.relu(f)
        ascended = (1.0 - beta * step**-0.25) * multiplier + beta * hinge
        return tf.where(is_finite & (t > 0), tf.maximum(ascended, 0.0), multiplier)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "multiplier_step_size": self.multiplier_step_size,
        }
