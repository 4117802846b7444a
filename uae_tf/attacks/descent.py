"""What attacks with a similarity share: descent on c * f+ and I, one delta a sample."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..fixed import FixedOnceCompiled
from ..mine import MINE, Similarity, observed_call
from ..ops import (
    all_finite,
    expand_like,
    per_sample_uniform,
    project_box_and_ball,
)
from ..types import PerSample, Samples, Seeds, State
from .attack import Attack, Outcome
from .batches import Batch
from .best import Best
from .result import AttackResult

_TRACED = ("criterion", "similarity", "multiplier")


class Clean(NamedTuple):
    """What is known of the clean samples before the first iterate.

    Attributes:
        x: ``(batch, *shape)``.
        context: what the criterion needs of them.
        features: what the similarity looks at, or None without one.
        layer: the layer that the similarity observes, or None.
    """

    x: Samples
    context: State
    features: tf.Tensor | None
    layer: keras.Layer | None


class Iterate(NamedTuple):
    """What the loop carries from one iterate to the next."""

    delta: Samples
    multiplier: PerSample
    similarity: State
    best: Best
    is_finite: tf.Tensor


class SimilarityDescent(Attack):
    """Descends ``c * f+(x + delta) + weight * I(x, x + delta)`` inside box and ball.

    A criterion with ``maximizes_similarity`` turns the sign of I. Subclasses choose the
    multiplier c: by ascent (:class:`~uae_tf.MinMaxAttack`) or by search
    (:class:`~uae_tf.PenaltyAttack`). Example, f and I of a result belong to one and the
    same iterate.

    Args:
        criterion: what success means, with the model.
        similarity: a uae_tf similarity, "mine" for ``MINE()``, or None.
        epsilon: L-infinity bound on delta, in units of x.
        steps: iterations of one descent.
        step_size: alpha.
        initial_noise: half-width of the uniform start noise, or "glorot".
        initial_multiplier: c_0.
        similarity_weight: factor of I.
        bounds: smallest and largest value of an example.
        restarts: runs from different noise; the best is kept for each sample.
        seed: base seed; see :class:`Attack`.
    """

    needs_criterion = True

    #: Settings by name, for :meth:`from_preset`.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    #: Length of a further step of every entry down the signed similarity (published
    #: penalty code, SPEC 2.5.2); 0 for none.
    similarity_step: float = 0.0

    def __init__(
        self,
        criterion: Criterion,
        similarity: Similarity | str | None,
        *,
        epsilon: float,
        steps: int,
        step_size: float,
        initial_noise: float | str,
        initial_multiplier: float,
        similarity_weight: float,
        bounds: tuple[float, float],
        restarts: int,
        seed: int,
    ) -> None:
        super().__init__(criterion, bounds, restarts, seed)
        self.similarity = MINE() if similarity == "mine" else similarity
        self.epsilon = epsilon
        self.steps = steps
        self.step_size = step_size
        self.initial_noise = initial_noise
        self.initial_multiplier = initial_multiplier
        self.similarity_weight = similarity_weight
        if not isinstance(self.similarity, Similarity | None):
            raise TypeError(
                '`similarity` must be a uae_tf similarity, "mine" or None. '
                f"Received: similarity={self.similarity!r}"
            )
        self._require_positive("epsilon", "steps", "step_size")
        self._require_not_negative("initial_multiplier")
        if initial_noise != "glorot" and (
            isinstance(initial_noise, str) or initial_noise < 0
        ):
            raise ValueError(
                '`initial_noise` must be at least 0, or "glorot". '
                f"Received: initial_noise={initial_noise!r}"
            )
        self._bind()

    @classmethod
    def from_preset(
        cls,
        preset: str,
        criterion: Criterion,
        similarity: Similarity | str | None = "mine",
        **settings: Any,
    ) -> Self:
        """An attack with the settings of one of ``presets``, as far as not overridden.

        Args:
            preset: "paper", or another key of the class's ``presets``.
            criterion: what success means, with the model.
            similarity: as for the class itself.
            **settings: further settings; they override the preset's.

        Raises:
            ValueError: an unknown preset.
        """
        if preset not in cls.presets:
            raise ValueError(
                f"`preset` must be one of {tuple(cls.presets)}. "
                f"Received: preset={preset!r}"
            )
        return cls(criterion, similarity, **{**cls.presets[preset], **settings})

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

    def _bind(self) -> None:
        """Lets the similarity choose for the model, as both are now."""
        self._bound = self.similarity and self.similarity.for_model(
            self.criterion.model
        )

    def _collect(self, batch: Batch, trace: bool) -> AttackResult:
        # Before the graph is made: a similarity may make weights when it is bound.
        if not self._is_compiled:
            self._bind()
        return super()._collect(batch, trace)

    def _compiled_parts(self) -> list[FixedOnceCompiled]:
        parts = super()._compiled_parts()
        return parts if self.similarity is None else [*parts, self.similarity]

    def _observe(self, x: Samples, y: tf.Tensor | None) -> Clean:
        layer = self._bound and self._bound.observed_layer(self.criterion.model)
        outputs, observed = observed_call(self.criterion.outputs, x, layer)
        context = self.criterion.prepare(x, y, outputs)
        self.criterion.check_gradient(outputs, context)
        features = None
        if self._bound is not None:
            features = self._bound.features(x, x, outputs, observed)
        return Clean(x, context, features, layer)

    def _start(self, clean: Clean, multiplier: PerSample, seeds: Seeds) -> Iterate:
        x = clean.x
        state = tf.zeros(tf.shape(x)[:1])
        if self._bound is not None:
            state = self._bound.prepare(x, clean.features, seeds)
        return Iterate(
            delta=self.start_noise(x, seeds),
            multiplier=multiplier,
            similarity=state,
            best=Best.start(x),
            is_finite=tf.ones(tf.shape(x)[:1], tf.bool),
        )

    def _descend(
        self,
        iterate: Iterate,
        clean: Clean,
        log: tf.TensorArray,
        first: tf.Tensor | int = 0,
        trace: bool = False,
    ) -> tuple[Iterate, tf.TensorArray]:
        """Runs ``steps`` iterations; with ``trace`` logs them from row ``first`` on."""

        def body(t: tf.Tensor, it: Iterate, log: tf.TensorArray) -> tuple:
            it, row, move = self._visit(t, it, clean, descend=True)
            moved = self._project(it.delta - move, clean.x)
            moves = it.is_finite & all_finite(move)
            delta = tf.where(expand_like(moves, clean.x), moved, it.delta)
            log = log.write(first + t, row) if trace else log
            return t + 1, it._replace(delta=delta, is_finite=moves), log

        t, iterate, log = tf.while_loop(
            lambda t, *_: t < self.steps,
            body,
            (tf.constant(0), iterate, log),
            parallel_iterations=1,
        )
        # The last iterate is only judged: its gradient would go nowhere.
        iterate, row, _ = self._visit(t, iterate, clean, descend=False)
        return iterate, log.write(first + t, row) if trace else log

    def _visit(
        self, t: tf.Tensor, it: Iterate, clean: Clean, descend: bool
    ) -> tuple[Iterate, tf.Tensor, Samples]:
        """Judges the iterate, and says by what to move it if it is to be moved."""
        sign = -1.0 if self.criterion.maximizes_similarity else 1.0
        with tf.GradientTape(persistent=self.similarity_step > 0.0) as tape:
            tape.watch(it.delta)
            examples = clean.x + it.delta
            outputs, observed = observed_call(
                self.criterion.outputs, examples, clean.layer
            )
            f = self.criterion.value(outputs, clean.context)
            features = None
            if self._bound is not None:
                features = self._bound.features(clean.x, examples, outputs, observed)
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
        multiplier = self._next_multiplier(t, it.multiplier, f, is_finite)
        move = it.delta
        if descend:
            targets, weights = [f], [tf.where(f > 0.0, multiplier, 0.0)]
            if slope is not None:
                targets.append(features)
                weights.append(sign * self.similarity_weight * slope)
            move = self.step_size * tape.gradient(
                targets, it.delta, output_gradients=weights
            )
            if self.similarity_step > 0.0 and slope is not None:
                downhill = tape.gradient(features, it.delta, sign * slope)
                move += self.similarity_step * tf.sign(downhill)
        row = tf.stack([f, value, multiplier])
        return Iterate(it.delta, multiplier, state, best, is_finite), row, move

    def _next_multiplier(
        self, t: tf.Tensor, multiplier: PerSample, f: PerSample, is_finite: tf.Tensor
    ) -> PerSample:
        """Multiplier c of the next step, ``(batch,)``."""
        raise NotImplementedError(
            f"{type(self).__name__} must override `_next_multiplier`."
        )

    def _project(self, delta: Samples, x: Samples) -> Samples:
        return project_box_and_ball(delta, x, self.epsilon, *self.bounds)

    def _outcome(self, best: Best, is_finite: tf.Tensor, rows: Any) -> Outcome:
        """The result; ``rows`` is the log ``(iterates, 3, batch)``, or None."""
        traces = {} if rows is None else {n: rows[:, i] for i, n in enumerate(_TRACED)}
        return Outcome(
            examples=best.examples,
            success=best.success & is_finite,
            similarity=best.measured(best.similarity),
            criterion=best.measured(best.criterion),
            is_finite=is_finite,
            trace=traces,
        )

    def _require_positive(self, *names: str) -> None:
        for name in names:
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"`{name}` must be positive. Received: {getattr(self, name)}"
                )

    def _require_not_negative(self, *names: str) -> None:
        for name in names:
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"`{name}` must be at least 0. Received: {getattr(self, name)}"
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
            "initial_noise",
            "initial_multiplier",
            "similarity_weight",
        )
        return {**config, **{name: getattr(self, name) for name in names}}
