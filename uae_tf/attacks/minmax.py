"""Algorithm 1 of the paper: unsupervised (and supervised) MinMax attack."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..mine import MINE, Similarity, observe
from ..ops import (
    all_finite,
    expand_like,
    per_sample_uniform,
    project_box_and_ball,
)
from ..types import PerSample, Samples, Seeds, State
from .attack import Attack, Outcome
from .best import Best

PRESETS: dict[str, dict[str, Any]] = {
    # Algorithm 1 to the letter: delta_0 = 0, c_0 = 0 (SPEC 1.5, 1.6).
    "paper": {"initial_noise": 0.0, "initial_multiplier": 0.0},
    # The published code's start: Glorot-uniform noise, c_0 = 1e-3 (SPEC 2.2.1, 2.2.3).
    "published": {"initial_noise": "glorot", "initial_multiplier": 1e-3},
    # Large start noise, and a multiplier that brings such a start back to f <= 0.
    "strong": {"initial_noise": 0.5, "initial_multiplier": 100.0},
}


class Iterate(NamedTuple):
    """What the loop carries from one iterate to the next."""

    delta: Samples
    multiplier: PerSample
    similarity: State
    best: Best
    is_finite: tf.Tensor


@keras.saving.register_keras_serializable("uae_tf")
class MinMaxAttack(Attack):
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

    needs_criterion = True

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
        super().__init__(criterion, bounds, restarts, seed)
        self.similarity = MINE() if similarity == "mine" else similarity
        self.epsilon = epsilon
        self.steps = steps
        self.step_size = step_size
        self.multiplier_step_size = multiplier_step_size
        self.initial_noise = initial_noise
        self.initial_multiplier = initial_multiplier
        self.similarity_weight = similarity_weight
        self._check_settings()
        self._bound = self.similarity and self.similarity.for_model(criterion.model)

    @classmethod
    def from_preset(
        cls,
        preset: str,
        criterion: Criterion,
        similarity: Similarity | str | None = "mine",
        **settings: Any,
    ) -> MinMaxAttack:
        """An attack with the start of the "paper", the "published" code, or "strong".

        ``settings`` override the preset's.
        """
        if preset not in PRESETS:
            raise ValueError(
                f"`preset` must be one of {tuple(PRESETS)}. Received: preset={preset!r}"
            )
        return cls(criterion, similarity, **{**PRESETS[preset], **settings})

    def noise_limit(self, shape: tuple[int, ...]) -> float:
        """Half-width of the uniform start noise for samples of ``shape``."""
        if self.initial_noise != "glorot":
            return float(self.initial_noise)
        # The published variable has shape (1, *shape) and TensorFlow's fan rule.
        full = (1, *shape)
        receptive = int(np.prod(full[:-2]))
        return float(np.sqrt(6.0 / (receptive * (full[-2] + full[-1]))))

    def start_noise(self, x: Samples, seeds: Seeds) -> Samples:
        """delta_0: uniform noise, projected so that x + delta_0 is allowed."""
        shape = tuple(x.shape[1:])
        limit = self.noise_limit(shape)
        if limit == 0.0:
            return tf.zeros_like(x)
        return self._project(per_sample_uniform(seeds, shape, -limit, limit), x)

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        layer = self._bound and self._bound.observed_layer(self.criterion.model)
        outputs, observed = self._outputs(x, layer)
        context = self.criterion.prepare(x, y, outputs)
        state = tf.zeros(tf.shape(x)[:1])
        if self._bound is not None:
            features = self._bound.features(x, x, outputs, observed)
            state = self._bound.prepare(x, features, seeds)
        iterate = Iterate(
            delta=self.start_noise(x, seeds),
            multiplier=tf.fill(tf.shape(x)[:1], float(self.initial_multiplier)),
            similarity=state,
            best=Best.start(x),
            is_finite=tf.ones(tf.shape(x)[:1], tf.bool),
        )
        return self._loop(iterate, x, context, layer, trace)

    def _loop(
        self,
        iterate: Iterate,
        x: Samples,
        context: State,
        layer: keras.Layer | None,
        trace: bool,
    ) -> Outcome:
        records = tf.TensorArray(tf.float32, self.steps + 1 if trace else 0)

        def body(t: tf.Tensor, it: Iterate, log: tf.TensorArray) -> tuple:
            it, row, gradient = self._visit(t, it, x, context, layer, descend=True)
            moved = self._project(it.delta - self.step_size * gradient, x)
            moves = it.is_finite & all_finite(gradient)
            delta = tf.where(expand_like(moves, x), moved, it.delta)
            log = log.write(t, row) if trace else log
            return t + 1, it._replace(delta=delta, is_finite=moves), log

        t, iterate, records = tf.while_loop(
            lambda t, *_: t < self.steps,
            body,
            (tf.constant(0), iterate, records),
            parallel_iterations=1,
        )
        # The last iterate is only judged: its gradient would go nowhere.
        iterate, row, _ = self._visit(t, iterate, x, context, layer, descend=False)
        traces = {}
        if trace:
            rows = records.write(t, row).stack()
            names = ("criterion", "similarity", "multiplier")
            traces = {name: rows[:, i] for i, name in enumerate(names)}
        best = iterate.best
        return Outcome(
            examples=best.examples,
            success=best.success & iterate.is_finite,
            similarity=best.measured(best.similarity),
            criterion=best.measured(best.criterion),
            is_finite=iterate.is_finite,
            trace=traces,
        )

    def _visit(
        self,
        t: tf.Tensor,
        it: Iterate,
        x: Samples,
        context: State,
        layer: keras.Layer | None,
        descend: bool,
    ) -> tuple[Iterate, tf.Tensor, Samples]:
        """Judges the iterate, and gives the gradient at it if one is to be taken."""
        sign = -1.0 if self.criterion.maximizes_similarity else 1.0
        with tf.GradientTape() as tape:
            tape.watch(it.delta)
            examples = x + it.delta
            outputs, observed = self._outputs(examples, layer)
            f = self.criterion.value(outputs, context)
            features = None
            if self._bound is not None:
                features = self._bound.features(x, examples, outputs, observed)
        if self._bound is None:
            state, value, score, slope = it.similarity, f * np.nan, f, None
            finite = tf.math.is_finite(f)
        else:
            state, value, slope = self._bound.update(it.similarity, features, t)
            score = sign * value
            finite = tf.math.is_finite(f) & tf.math.is_finite(value)
        is_finite = it.is_finite & finite
        # delta_0 is where the attack starts, not something it found.
        allowed = is_finite & (t > 0)
        best = it.best.update(examples, f, value, score, allowed)
        multiplier = self._ascend(t, it.multiplier, f, is_finite)
        gradient = it.delta
        if descend:
            targets, weights = [f], [tf.where(f > 0.0, multiplier, 0.0)]
            if slope is not None:
                targets.append(features)
                weights.append(sign * self.similarity_weight * slope)
            gradient = tape.gradient(targets, it.delta, output_gradients=weights)
        row = tf.stack([f, value, multiplier])
        return Iterate(it.delta, multiplier, state, best, is_finite), row, gradient

    def _outputs(
        self, examples: Samples, layer: keras.Layer | None
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        with observe(layer) as recorded:
            outputs = self.criterion.outputs(examples)
        if layer is None:
            return outputs, None
        if not recorded:
            raise ValueError(
                f"The similarity looks at the layer {layer.name!r}, which "
                f"{self.criterion.model.name!r} does not call. Use another "
                'similarity, such as MINE(views="compressive").'
            )
        return outputs, recorded[0]

    def _ascend(
        self, t: tf.Tensor, multiplier: PerSample, f: PerSample, is_finite: tf.Tensor
    ) -> PerSample:
        beta, step = self.multiplier_step_size, tf.cast(tf.maximum(t, 1), tf.float32)
        hinge = tf.nn.relu(f)
        ascended = (1.0 - beta * step**-0.25) * multiplier + beta * hinge
        return tf.where(is_finite & (t > 0), tf.maximum(ascended, 0.0), multiplier)

    def _project(self, delta: Samples, x: Samples) -> Samples:
        return project_box_and_ball(delta, x, self.epsilon, *self.bounds)

    def _check_settings(self) -> None:
        if not isinstance(self.similarity, Similarity | None):
            raise TypeError(
                '`similarity` must be a uae_tf similarity, "mine" or None. '
                f"Received: similarity={self.similarity!r}"
            )
        for name in ("epsilon", "steps", "step_size"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"`{name}` must be positive. Received: {getattr(self, name)}"
                )
        for name in ("multiplier_step_size", "initial_multiplier"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"`{name}` must be at least 0. Received: {getattr(self, name)}"
                )
        noise = self.initial_noise
        if noise != "glorot" and (isinstance(noise, str) or noise < 0):
            raise ValueError(
                '`initial_noise` must be at least 0, or "glorot". '
                f"Received: initial_noise={noise!r}"
            )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["similarity"] = self.similarity and (
            keras.saving.serialize_keras_object(self.similarity)
        )
        names = (
            "epsilon",
            "steps",
            "step_size",
            "multiplier_step_size",
            "initial_noise",
            "initial_multiplier",
            "similarity_weight",
        )
        return {**config, **{name: getattr(self, name) for name in names}}
