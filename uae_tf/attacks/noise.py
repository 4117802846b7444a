"""Noise in the place of an attack: the controls every claim is measured against."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..ops import expand_like, fold_in, l2_norm, per_sample_normal, per_sample_uniform
from ..types import PerSample, Samples, Seeds
from .attack import Attack, Outcome

_STREAM = 5


class NoiseAttack(Attack):
    """Base: adds noise, clips to the bounds, and judges if there is a criterion.

    Without a criterion every sample counts as a success, as in plain augmentation, and
    f is NaN.
    """

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["restarts"]
        return config

    def noise(self, x: Samples, y: tf.Tensor | None, seeds: Seeds) -> Samples:
        """The noise before clipping, shaped like ``x``."""
        raise NotImplementedError(f"{type(self).__name__} must override `noise`.")

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        del trace
        examples = tf.clip_by_value(x + self.noise(x, y, seeds), *self.bounds)
        nothing = tf.fill(tf.shape(x)[:1], float("nan"))
        everything = tf.ones_like(nothing, tf.bool)
        f, success, is_finite = nothing, everything, everything
        if self.criterion is not None:
            context = self.criterion.prepare(x, y, self.criterion.outputs(x))
            f = self.criterion.value(self.criterion.outputs(examples), context)
            is_finite = tf.math.is_finite(f)
            # Where the clean loss is infinite f may be -inf, which says nothing.
            success = (f <= 0.0) & is_finite
        return Outcome(examples, success, nothing, f, is_finite, {})


@keras.saving.register_keras_serializable("uae_tf")
class GaussianNoise(NoiseAttack):
    """Zero-mean Gaussian noise ("GA" in the paper).

    Args:
        stddev: standard deviation, in units of x (paper: 0.01 and 0.001).
        criterion: judges success if given.
        bounds: examples are clipped to them.
        seed: base seed; see :class:`Attack`.

    Example:
        >>> import numpy as np
        >>> from uae_tf import GaussianNoise
        >>> result = GaussianNoise(0.1)(np.full((2, 3), 0.5, "float32"))
        >>> result.success_rate
        1.0

    Reference:
        SPEC 1.12, 4.14.
    """

    def __init__(
        self,
        stddev: float,
        criterion: Criterion | None = None,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
        seed: int = 0,
    ) -> None:
        super().__init__(criterion, bounds, 1, seed)
        if not stddev > 0:
            raise ValueError(f"`stddev` must be positive. Received: stddev={stddev}")
        self.stddev = stddev

    def noise(self, x: Samples, y: tf.Tensor | None, seeds: Seeds) -> Samples:
        del y
        return self.stddev * per_sample_normal(fold_in(seeds, _STREAM), x.shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("uae_tf")
class UniformNoise(NoiseAttack):
    """Uniform noise in ``[-limit, limit]``: the start of :class:`MinMaxAttack`.

    With the same limit, epsilon 1 and seed it is, sample by sample, the very noise that
    MinMaxAttack starts from: the control "start_noise".

    Args:
        limit: half-width, in units of x.
        criterion: judges success if given.
        bounds: examples are clipped to them.
        seed: base seed; see :class:`Attack`.

    Example:
        >>> import numpy as np
        >>> from uae_tf import UniformNoise
        >>> result = UniformNoise(0.1)(np.full((2, 3), 0.5, "float32"))
        >>> bool((result.linf <= 0.1 + 1e-6).all())
        True
    """

    def __init__(
        self,
        limit: float,
        criterion: Criterion | None = None,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
        seed: int = 0,
    ) -> None:
        super().__init__(criterion, bounds, 1, seed)
        if not limit > 0:
            raise ValueError(f"`limit` must be positive. Received: limit={limit}")
        self.limit = limit

    def noise(self, x: Samples, y: tf.Tensor | None, seeds: Seeds) -> Samples:
        del y
        return per_sample_uniform(seeds, tuple(x.shape[1:]), -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "limit": self.limit}


@keras.saving.register_keras_serializable("uae_tf")
class MatchedNoise(NoiseAttack):
    """Gaussian noise with a given L2 norm for each sample, *after* clipping.

    The control "matched_noise": as far from x as a UAE is, in a random direction. The
    factor is found by bisection; a norm that no factor reaches inside the bounds (the
    far corner of the box is nearer) gives the largest reachable.

    Calling it takes the wanted norms in the place of labels: ``attack(x, result.l2)``.

    Args:
        bounds: examples are clipped to them.
        seed: base seed; see :class:`Attack`.

    Example:
        >>> import numpy as np
        >>> from uae_tf import MatchedNoise
        >>> x = np.full((2, 9), 0.5, "float32")
        >>> result = MatchedNoise()(x, np.array([0.2, 0.4], "float32"))
        >>> np.round(result.l2, 3).tolist() == np.float32([0.2, 0.4]).tolist()
        True

    Reference:
        SPEC 4.12.
    """

    def __init__(
        self, *, bounds: tuple[float, float] = (0.0, 1.0), seed: int = 0
    ) -> None:
        super().__init__(None, bounds, 1, seed)

    def check(self, x: np.ndarray, y: np.ndarray | None, first_id: int = 0) -> None:
        super().check(x, y, first_id)
        if y is None or np.ndim(y) != 1 or not np.all(np.asarray(y) >= 0.0):
            received = "none" if y is None else f"shape {np.shape(y)}"
            raise ValueError(
                "MatchedNoise needs the wanted L2 norms, shape (N,) and at least 0, as "
                f"`y`: attack(x, result.l2). Received: {received}"
            )

    def noise(self, x: Samples, y: tf.Tensor | None, seeds: Seeds) -> Samples:
        direction = per_sample_normal(fold_in(seeds, _STREAM), x.shape[1:])
        wanted = tf.cast(y, tf.float32)

        def clipped_norm(log_factor: PerSample) -> PerSample:
            moved = x + expand_like(tf.exp(log_factor), x) * direction
            return l2_norm(tf.clip_by_value(moved, *self.bounds) - x)

        # Clipping only shortens, so the factor without it is the least that can do. One
        # unit of logarithm lower: steps near a float's resolution come out longer.
        least = tf.math.log(wanted / l2_norm(direction)) - 1.0
        width = self.bounds[1] - self.bounds[0]
        high = tf.fill(tf.shape(wanted), 20.0 + math.log(width))
        low = tf.minimum(least, high)
        for _ in range(30):
            middle = 0.5 * (low + high)
            short = clipped_norm(middle) < wanted
            low, high = tf.where(short, middle, low), tf.where(short, high, middle)
        factor = tf.where(wanted > 0.0, tf.exp(0.5 * (low + high)), 0.0)
        return expand_like(factor, x) * direction
