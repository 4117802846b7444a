"""The best iterate so far, sample by sample."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ..ops import expand_like
from ..types import PerSample, Samples


class Best(NamedTuple):
    """Best iterate of each sample.

    Among iterates with f <= 0 it is the one with the lowest score (the earliest on
    ties); while there is none, the one with the lowest f (SPEC 4.8). One tuple: the
    example, its f and its similarity belong to the same iterate.

    Attributes:
        examples: ``(batch, *shape)``.
        criterion: ``(batch,)``, f.
        similarity: ``(batch,)``.
        score: ``(batch,)``, what is minimised among successes.
        success: ``(batch,)`` bool.
    """

    examples: Samples
    criterion: PerSample
    similarity: PerSample
    score: PerSample
    success: tf.Tensor

    @classmethod
    def start(cls, x: Samples) -> Best:
        """Nothing found yet: x itself, with f and score infinite."""
        worst = tf.fill(tf.shape(x)[:1], float("inf"))
        return cls(x, worst, worst, worst, tf.zeros_like(worst, tf.bool))

    def measured(self, values: PerSample) -> PerSample:
        """``values``, with NaN for samples of which no iterate was ever judged."""
        return tf.where(tf.math.is_inf(self.criterion), float("nan"), values)

    def update(
        self,
        examples: Samples,
        criterion: PerSample,
        similarity: PerSample,
        score: PerSample,
        allowed: tf.Tensor,
    ) -> Best:
        """Takes the new iterate where it is allowed and better."""
        feasible = criterion <= 0.0
        better = tf.where(
            self.success,
            feasible & (score < self.score),
            feasible | (criterion < self.criterion),
        )
        taken = better & allowed
        return Best(
            tf.where(expand_like(taken, examples), examples, self.examples),
            tf.where(taken, criterion, self.criterion),
            tf.where(taken, similarity, self.similarity),
            tf.where(taken, score, self.score),
            self.success | (taken & feasible),
        )
