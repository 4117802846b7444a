"""Base of all attacks: checks, batches, one compiled function, one result type."""

from __future__ import annotations

import functools
import reprlib
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..criteria.criterion import check_labels
from ..fixed import FixedOnceCompiled
from ..ops import l2_norm, linf_norm, per_sample_seeds
from ..types import PerSample, Samples, Seeds
from .batches import Batch, batches, check_samples, checked_bounds
from .replicas import over_replicas
from .result import AttackResult

#: Called with (samples done, samples in all or None) after every batch.
Progress = Callable[[int, int | None], None]

_RESTART_STRIDE = 1_000_003
# A configuration may hold reference images, as text: nobody wants to see that.
_SHORT = reprlib.Repr()
_SHORT.maxlevel = _SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 20
_SHORT.maxstring = _SHORT.maxother = 100


class Outcome(NamedTuple):
    """What an attack computed for one batch; ``(batch,)`` unless said otherwise.

    Attributes:
        examples: ``(batch, *shape)``.
        success: bool.
        similarity: float32.
        criterion: float32.
        is_finite: bool.
        trace: name -> ``(iterates, batch)``, empty unless asked for.
    """

    examples: Samples
    success: tf.Tensor
    similarity: PerSample
    criterion: PerSample
    is_finite: tf.Tensor
    trace: dict[str, tf.Tensor]


class Attack(FixedOnceCompiled):
    """Turns samples into adversarial examples, batch by batch, in one compiled graph.

    Subclasses override :meth:`perturb`. Calling an attack checks the input, pads the
    last batch (one trace per input shape and dtype), streams batches through the
    compiled function and collects an :class:`AttackResult`. Called inside the scope of
    a ``tf.distribute.MirroredStrategy`` it shares each batch among all devices. Once it
    has run, its settings are compiled and fixed, but for ``seed`` and ``restarts``,
    and so are those of its criterion and similarity.

    Args:
        criterion: what success means, with the model; None where an attack needs none.
        bounds: smallest and largest value an example may have, finite.
        restarts: runs from different start noise; the best is kept for each sample.
        seed: base seed. The randomness of a sample follows from (seed, sample id)
            alone, so batches, workers and order do not matter.

    Raises:
        AttributeError: from an assignment to a setting that is fixed.

    Attributes:
        unfinished: the result of the batches that were done when the last call was
            stopped, by Ctrl-C or by a bad batch of a stream; None after a whole call.
    """

    needs_criterion: ClassVar[bool] = False
    free_settings = ("seed", "restarts")

    def __init__(
        self,
        criterion: Criterion | None,
        bounds: tuple[float, float] = (0.0, 1.0),
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        is_missing = criterion is None and not self.needs_criterion
        if not (is_missing or isinstance(criterion, Criterion)):
            raise TypeError(
                "`criterion` must be a uae_tf criterion, such as Reconstruction(model)."
                f" Received: criterion={criterion!r}"
            )
        if restarts < 1:
            raise ValueError(
                f"`restarts` must be at least 1. Received: restarts={restarts}"
            )
        self.criterion = criterion
        self.bounds = checked_bounds(bounds)
        self.restarts = restarts
        self.seed = seed
        self.num_traces = 0
        self.unfinished: AttackResult | None = None
        # A partial of its own: TensorFlow counts traces per code object, and would take
        # the first calls of five attacks for one attack that is traced over and over.
        self._compiled = tf.function(
            functools.partial(self._attack_batch), autograph=False
        )

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        """The attack itself, as tensors, on one batch."""
        raise NotImplementedError(f"{type(self).__name__} must override `perturb`.")

    def __call__(
        self,
        x: np.ndarray | tf.data.Dataset,
        y: np.ndarray | None = None,
        *,
        batch_size: int = 256,
        sample_ids: np.ndarray | None = None,
        progress: bool | Progress = False,
        trace: bool = False,
    ) -> AttackResult:
        """Attacks ``x``.

        Args:
            x: ``(N, *shape)`` floating point within the bounds, or a
                ``tf.data.Dataset`` of batches of x or (x, y), which is streamed.
            y: ``(N,)`` labels, for criteria that need them.
            batch_size: samples per compiled call.
            sample_ids: ``(N,)`` integers that the randomness of a sample follows from;
                its position by default. Other ids give other start noise.
            progress: True for a progress bar with the time left, or a callable.
            trace: also return what is known of every iterate, see
                :class:`AttackResult`.

        Returns:
            An :class:`AttackResult` in the order of ``x``.

        Raises:
            ValueError, TypeError: before any work, of a dataset before any on the
                batch, with the argument, what came and how to mend it.
        """
        if batch_size < 1:
            raise ValueError(
                f"`batch_size` must be at least 1. Received: batch_size={batch_size}"
            )
        if not isinstance(x, tf.data.Dataset):
            x = np.asarray(x)
        total = None if isinstance(x, tf.data.Dataset) else len(np.atleast_1d(x))
        report, close = _progress(progress, total, type(self).__name__)
        results, done = [], 0
        self.unfinished = None
        try:
            for batch in batches(x, y, sample_ids, batch_size, self.check):
                results.append(self._collect(batch, trace))
                done += batch.count
                report(done, total)
        except BaseException as error:
            if results:
                self.unfinished = AttackResult.concatenate(results)
                error.add_note(
                    f"The first {done} samples are done: their result is kept in "
                    "`attack.unfinished`."
                )
            raise
        finally:
            close()
        result = AttackResult.concatenate(results)
        _warn_about(result, self.bounds)
        return result

    def check(self, x: np.ndarray, y: np.ndarray | None, first_id: int = 0) -> None:
        """Raises where samples cannot be attacked, as a call does before any work.

        Args:
            x: ``(N, *shape)``.
            y: ``(N,)`` labels, or None.
            first_id: position of the first row in the whole data, for the message.
        """
        check_samples(x, self.bounds, first_id)
        if y is not None:
            check_labels(y, len(x))
        if self.criterion is not None:
            self.criterion.check(x, y)
            self.criterion.check_start(x, y, first_id)

    def _collect(self, batch: Batch, trace: bool) -> AttackResult:
        best = None
        for restart in range(self.restarts):
            seed = tf.constant(self.seed + restart * _RESTART_STRIDE, tf.int64)
            outcome = self._compiled(
                tf.constant(batch.x),
                None if batch.y is None else tf.constant(batch.y),
                tf.constant(batch.sample_ids),
                seed,
                trace,
            )
            best = outcome if best is None else self._better(best, outcome)
        assert best is not None
        outcome, norms = best
        rows = slice(0, batch.count)
        return AttackResult(
            examples=outcome.examples[rows].numpy(),
            success=outcome.success[rows].numpy(),
            similarity=outcome.similarity[rows].numpy(),
            criterion=outcome.criterion[rows].numpy(),
            l2=norms["l2"][rows].numpy(),
            linf=norms["linf"][rows].numpy(),
            is_finite=outcome.is_finite[rows].numpy(),
            trace={k: v[:, rows].numpy() for k, v in outcome.trace.items()} or None,
        )

    def best_of_restarts(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds
    ) -> Outcome:
        """The whole attack on one batch, as tensors, for a graph of one's own.

        What a call does between checks and result: with the seeds of
        ``per_sample_seeds(seed, sample_ids)`` it finds the same examples. Nothing is
        checked, and the batch may be of unknown size.

        Args:
            x: ``(batch, *shape)`` float32 within the bounds.
            y: ``(batch,)`` labels, or None.
            seeds: ``(batch, 2)`` int32, one per sample.
        """

        def again(restart: tf.Tensor, best: Any) -> tuple[tf.Tensor, Any]:
            shift = tf.stack([restart * _RESTART_STRIDE, 0])
            return restart + 1, self._better(best, self._run(x, y, seeds + shift))

        best = self._run(x, y, seeds)
        if self.restarts > 1:
            _, best = tf.while_loop(
                lambda restart, _: restart < self.restarts,
                again,
                (tf.constant(1), best),
                parallel_iterations=1,
            )
        return best[0]

    def _attack_batch(
        self,
        x: tf.Tensor,
        y: tf.Tensor | None,
        sample_ids: tf.Tensor,
        seed: tf.Tensor,
        trace: bool,
    ) -> tuple[Outcome, dict[str, tf.Tensor]]:
        self.num_traces += 1  # Runs when traced, not when called.
        seeds = per_sample_seeds(tf.bitcast(seed, tf.int32)[0], sample_ids)
        run = functools.partial(self._run, trace=trace)
        found = over_replicas(run, x, y, seeds)
        for part in self._compiled_parts():
            part.freeze_settings()
        return found

    def _compiled_parts(self) -> list[FixedOnceCompiled]:
        return [self] if self.criterion is None else [self, self.criterion]

    def _run(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool = False
    ) -> tuple[Outcome, dict[str, tf.Tensor]]:
        outcome = self.perturb(x, y, seeds, trace)
        # x + (bound - x) can miss the bound by a rounding; a second attack on the
        # examples would refuse them.
        outcome = outcome._replace(
            examples=tf.clip_by_value(outcome.examples, *self.bounds)
        )
        delta = outcome.examples - x
        return outcome, {"l2": l2_norm(delta), "linf": linf_norm(delta)}

    def _better(self, first: Any, second: Any) -> Any:
        """Per sample: successes first, among them the better similarity, else f."""
        ours, theirs = first[0], second[0]
        sign = 1.0
        if self.criterion is not None and self.criterion.maximizes_similarity:
            sign = -1.0
        has_similarity = tf.math.is_finite(theirs.similarity)
        closer = tf.where(
            has_similarity,
            sign * theirs.similarity < sign * ours.similarity,
            theirs.criterion < ours.criterion,
        )
        wins = (theirs.success & ~ours.success) | (
            theirs.success & ours.success & closer
        )
        lower = theirs.criterion < ours.criterion
        # An attempt that was never judged, for NaN, is worse than one that failed.
        lower |= tf.math.is_nan(ours.criterion) & ~tf.math.is_nan(theirs.criterion)
        wins |= ~theirs.success & ~ours.success & lower

        def pick(ours: tf.Tensor, theirs: tf.Tensor) -> tf.Tensor:
            # Traces have the batch on axis 1, everything else on axis 0.
            shape = [1] * ours.shape.rank
            shape[1 if id(ours) in traced else 0] = -1
            return tf.where(tf.reshape(wins, shape), theirs, ours)

        traced = {id(t) for t in ours.trace.values()}
        return tf.nest.map_structure(pick, first, second)

    def get_config(self) -> dict[str, Any]:
        """Every setting; the criterion's and the similarity's as nested configs."""
        config: dict[str, Any] = {
            "bounds": list(self.bounds),
            "restarts": self.restarts,
            "seed": self.seed,
        }
        if self.criterion is not None:
            config["criterion"] = keras.saving.serialize_keras_object(self.criterion)
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], model: keras.Model | None = None
    ) -> Attack:
        """The attack with these settings, on ``model``.

        Weights do not belong in a manifest: the model comes beside the configuration.
        """
        settings = dict(config)
        settings["bounds"] = tuple(settings["bounds"])
        criterion = settings.get("criterion")
        if criterion is not None:
            if model is None:
                raise ValueError(
                    f"{cls.__name__}.from_config needs the attacked model, as `model`: "
                    "a configuration holds settings, not weights."
                )
            name = criterion["registered_name"]
            kind = keras.saving.get_registered_object(name)
            if kind is None:
                raise ValueError(
                    f"The criterion {name!r} is not registered. Decorate its class with"
                    " @keras.saving.register_keras_serializable(), and import it first."
                )
            settings["criterion"] = kind.from_config(criterion["config"], model)
        if settings.get("similarity") is not None:
            settings["similarity"] = keras.saving.deserialize_keras_object(
                settings["similarity"]
            )
        return cls(**settings)

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{k}={_SHORT.repr(v)}" for k, v in self.get_config().items()
        )
        return f"{type(self).__name__}({settings})"


def _progress(
    progress: bool | Progress, total: int | None, name: str
) -> tuple[Progress, Callable[[], None]]:
    if callable(progress):
        return progress, lambda: None
    if not progress:
        return lambda done, total: None, lambda: None
    # Not above: in a notebook without ipywidgets the mere import warns.
    from tqdm.auto import tqdm

    bar = tqdm(total=total, desc=name, unit="sample")

    def report(done: int, total: int | None) -> None:
        del total
        bar.update(done - bar.n)

    return report, bar.close


def _warn_about(result: AttackResult, bounds: tuple[float, float]) -> None:
    rounding = 1e-6 * (bounds[1] - bounds[0])
    if not result.is_finite.any():
        warnings.warn(
            "The model gave NaN or infinite numbers for every sample. Look at "
            "model(x): its weights or the range of x may be broken.",
            stacklevel=3,
        )
    elif np.all(result.linf <= rounding):
        warnings.warn(
            "The attack moved no sample. Give it start noise (`initial_noise`), more "
            "steps, a larger step size or a larger epsilon.",
            stacklevel=3,
        )
    elif not result.success.any():
        warnings.warn(
            "The attack succeeded on no sample (success rate 0). More steps, a smaller "
            "similarity_weight or a smaller initial_noise may help.",
            stacklevel=3,
        )
