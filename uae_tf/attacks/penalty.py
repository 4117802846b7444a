"""The penalty method: a fixed multiplier, found by binary search."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ..criteria import Criterion
from ..mine import Similarity
from ..types import PerSample, Samples, Seeds
from .attack import Outcome
from .best import Best
from .descent import SimilarityDescent

# Above it no upper limit has been found yet (SPEC 2.5.1).
_UNLIMITED, _NO_LIMIT_ABOVE = 1e10, 1e9
_SEED_STRIDE = 7_368_787

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # MINE's optimizer moves MINE only (SPEC 4.18).
    "paper": {},
    # As published: Adam at 2e-5, 20 times an iteration, moves delta as well. A step of
    # Adam has about the length of its rate, whatever the gradient.
    "published": {"initial_noise": "glorot", "similarity_step": 20 * 2e-5},
}


class Search(NamedTuple):
    """Where the binary search stands, sample by sample; all ``(batch,)``.

    Attributes:
        multiplier: c of the next descent.
        lower: largest c that failed.
        upper: smallest c that succeeded, 1e10 while none did.
    """

    multiplier: PerSample
    lower: PerSample
    upper: PerSample

    @classmethod
    def start(cls, multiplier: PerSample) -> Search:
        """Nothing known yet."""
        return cls(
            multiplier,
            tf.zeros_like(multiplier),
            tf.fill(tf.shape(multiplier), _UNLIMITED),
        )

    def after(self, success: tf.Tensor) -> Search:
        """Halves the interval where both ends are known, else takes ten times c."""
        c = self.multiplier
        upper = tf.where(success, tf.minimum(self.upper, c), self.upper)
        lower = tf.where(success, self.lower, tf.maximum(self.lower, c))
        middle = 0.5 * (lower + upper)
        return Search(tf.where(upper < _NO_LIMIT_ABOVE, middle, c * 10.0), lower, upper)


@keras.saving.register_keras_serializable("uae_tf")
class PenaltyAttack(SimilarityDescent):
    """Descends ``c * f+ + weight * I`` with a fixed c, chosen by binary search.

    The method that :class:`~uae_tf.MinMaxAttack` is compared with: ``search_steps``
    descents of ``steps`` iterations each, every one from its own start noise and with a
    fresh critic. After each, c grows tenfold for samples that failed, until one
    succeeded, then halves the interval between failure and success. Of all successes
    the one with the best similarity is kept.

    Args:
        criterion: what success means, with the model.
        similarity: as for :class:`~uae_tf.MinMaxAttack`.
        epsilon: L-infinity bound on delta, in units of x (paper: 1).
        steps: iterations of each descent (published code: 1,000).
        search_steps: descents (9).
        step_size: alpha (paper: 0.01).
        initial_noise: half-width of the uniform start noise, or "glorot".
        initial_multiplier: c of the first descent (published code: 1e-3).
        similarity_weight: factor of I.
        similarity_step: length of a further step of every entry of delta per iteration
            along the similarity alone; 0, but in the preset "published" (SPEC 2.5.2).
        bounds: smallest and largest value of an example.
        restarts: whole searches from different noise.
        seed: base seed; see :class:`Attack`.

    Cost:
        ``search_steps`` times that of a MinMaxAttack of the same ``steps``.

    Example:
        >>> import keras, numpy as np, uae_tf
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
        >>> attack = uae_tf.PenaltyAttack(
        ...     uae_tf.UntargetedMargin(model), uae_tf.GaussianMI(), steps=50,
        ...     search_steps=4, initial_multiplier=1.0)
        >>> x = np.full((2, 8), 0.5, "float32")
        >>> attack(x, y=np.argmax(model(x), axis=1)).success
        array([ True,  True])

    Reference:
        Hsu et al., AAAI 2022, section 4.3 (Table 3); SPEC 1.10, 2.5, 4.18.
    """

    presets = PRESETS

    def __init__(
        self,
        criterion: Criterion,
        similarity: Similarity | str | None = "mine",
        *,
        epsilon: float = 1.0,
        steps: int = 1000,
        search_steps: int = 9,
        step_size: float = 0.01,
        initial_noise: float | str = 0.1,
        initial_multiplier: float = 1e-3,
        similarity_weight: float = 1.0,
        similarity_step: float = 0.0,
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
        self.search_steps = search_steps
        self.similarity_step = similarity_step
        self._require_positive("search_steps", "initial_multiplier")
        self._require_not_negative("similarity_step")

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        clean, rows = self._observe(x, y), self.steps + 1
        log = tf.TensorArray(tf.float32, self.search_steps * rows if trace else 0)

        def descend(
            k: tf.Tensor,
            search: Search,
            best: Best,
            is_finite: tf.Tensor,
            log: tf.TensorArray,
        ) -> tuple:
            shift = tf.stack([k * _SEED_STRIDE, 0])
            start = self._start(clean, search.multiplier, seeds + shift)
            iterate, log = self._descend(start, clean, log, k * rows, trace)
            found = iterate.best
            best = best.update(
                found.examples,
                found.criterion,
                found.similarity,
                found.score,
                iterate.is_finite,
            )
            success = found.success & iterate.is_finite
            # One descent that broke down does not spoil what another one found.
            is_finite |= iterate.is_finite
            return k + 1, search.after(success), best, is_finite, log

        multiplier = tf.fill(tf.shape(x)[:1], float(self.initial_multiplier))
        nothing = tf.zeros(tf.shape(x)[:1], tf.bool)
        _, _, best, is_finite, log = tf.while_loop(
            lambda k, *_: k < self.search_steps,
            descend,
            (tf.constant(0), Search.start(multiplier), Best.start(x), nothing, log),
            parallel_iterations=1,
        )
        return self._outcome(best, is_finite, log.stack() if trace else None)

    def _next_multiplier(
        self, t: tf.Tensor, multiplier: PerSample, f: PerSample, is_finite: tf.Tensor
    ) -> PerSample:
        del t, f, is_finite
        return multiplier

    def get_config(self) -> dict[str, Any]:
        names = ("search_steps", "similarity_step")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
