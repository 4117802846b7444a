"""Projected gradient descent on the criterion alone."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..criteria import Criterion
from ..ops import (
    all_finite,
    expand_like,
    per_sample_uniform,
    project_box_and_ball,
    project_l2_ball,
    unit_l2,
)
from ..types import PerSample, Samples, Seeds, State
from .attack import Attack, Outcome
from .best import Best


@keras.saving.register_keras_serializable("uae_tf")
class PGDAttack(Attack):
    """Descends f by steps of fixed length inside a ball: what most people use.

    ``delta <- project(delta - step_size * direction)``, the direction being the sign of
    the gradient ("linf") or the gradient scaled to norm 1 ("l2"). With ``steps=1`` and
    ``random_start=False`` this is FGSM. The iterate with the lowest f is kept; the
    start is not among them. It has no similarity term, which also makes it the speed
    floor of the other attacks.

    Args:
        criterion: what success means, with the model.
        epsilon: radius of the ball, in units of x.
        steps: iterations.
        step_size: length of a step; default ``2.5 * epsilon / steps`` (Madry et al.).
        norm: "linf" or "l2".
        random_start: start from uniform noise in the ball (in its box for "l2").
        bounds: smallest and largest value of an example.
        restarts: runs from different noise; the best is kept for each sample.
        seed: base seed; see :class:`Attack`.

    Cost:
        ``steps`` forward and backward passes and one forward pass more.

    Example:
        >>> import keras, numpy as np
        >>> from uae_tf import PGDAttack, Reconstruction
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
        >>> x = np.full((2, 4), 0.5, "float32")
        >>> result = PGDAttack(Reconstruction(model), epsilon=0.1, steps=3)(x)
        >>> bool((result.linf <= 0.1 + 1e-6).all())
        True

    Reference:
        Madry et al., ICLR 2018; SPEC 1.11.
    """

    needs_criterion = True

    def __init__(
        self,
        criterion: Criterion,
        *,
        epsilon: float = 0.3,
        steps: int = 40,
        step_size: float | None = None,
        norm: str = "linf",
        random_start: bool = True,
        bounds: tuple[float, float] = (0.0, 1.0),
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(criterion, bounds, restarts, seed)
        if norm not in ("linf", "l2"):
            raise ValueError(f'`norm` must be "linf" or "l2". Received: norm={norm!r}')
        if steps < 1 or not epsilon > 0:
            raise ValueError(
                "`steps` and `epsilon` must be positive. "
                f"Received: steps={steps}, epsilon={epsilon}"
            )
        self.epsilon = epsilon
        self.steps = steps
        self.step_size = 2.5 * epsilon / steps if step_size is None else step_size
        self.norm = norm
        self.random_start = random_start

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        outputs = self.criterion.outputs(x)
        context = self.criterion.prepare(x, y, outputs)
        self.criterion.check_gradient(outputs, context)
        records = tf.TensorArray(tf.float32, self.steps + 1 if trace else 0)

        def body(
            t: tf.Tensor,
            delta: Samples,
            is_finite: tf.Tensor,
            best: Best,
            log: tf.TensorArray,
        ) -> tuple:
            with tf.GradientTape() as tape:
                tape.watch(delta)
                f = self._f(x + delta, context)
            gradient = tape.gradient(f, delta)
            is_finite &= tf.math.is_finite(f) & all_finite(gradient)
            # delta_0 is where the attack starts, not something it found.
            best = best.update(x + delta, f, f, f, is_finite & (t > 0))
            moved = self._project(delta - self.step_size * self._direction(gradient), x)
            delta = tf.where(expand_like(is_finite, x), moved, delta)
            log = log.write(t, f) if trace else log
            return t + 1, delta, is_finite, best, log

        everything = tf.ones(tf.shape(x)[:1], tf.bool)
        t, delta, is_finite, best, records = tf.while_loop(
            lambda t, *_: t < self.steps,
            body,
            (
                tf.constant(0),
                self._start(x, seeds),
                everything,
                Best.start(x),
                records,
            ),
            parallel_iterations=1,
        )
        f = self._f(x + delta, context)
        is_finite &= tf.math.is_finite(f)
        best = best.update(x + delta, f, f, f, is_finite)
        return Outcome(
            examples=best.examples,
            success=best.success & is_finite,
            similarity=tf.fill(tf.shape(f), float("nan")),
            criterion=best.measured(best.criterion),
            is_finite=is_finite,
            trace={"criterion": records.write(t, f).stack()} if trace else {},
        )

    def _f(self, examples: Samples, context: State) -> PerSample:
        return self.criterion.value(self.criterion.outputs(examples), context)

    def _start(self, x: Samples, seeds: Seeds) -> Samples:
        if not self.random_start:
            return tf.zeros_like(x)
        shape = tuple(x.shape[1:])
        noise = per_sample_uniform(seeds, shape, -self.epsilon, self.epsilon)
        return self._project(noise, x)

    def _direction(self, gradient: Samples) -> Samples:
        if self.norm == "linf":
            return tf.sign(gradient)
        return unit_l2(gradient)

    def _project(self, delta: Samples, x: Samples) -> Samples:
        if self.norm == "l2":
            # Clipping to the box after the ball never leaves the ball: it only
            # shortens entries towards x, which lies in both.
            delta = project_l2_ball(delta, self.epsilon)
        return project_box_and_ball(delta, x, self.epsilon, *self.bounds)

    def get_config(self) -> dict[str, Any]:
        names = ("epsilon", "steps", "step_size", "norm", "random_start")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
