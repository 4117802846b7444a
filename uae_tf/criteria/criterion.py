"""The interface every attack criterion fills: f(x + delta) <= 0 means success."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from ..fixed import FixedOnceCompiled
from ..models.logits import output_shape
from ..ops import pad_to
from ..types import PerSample, Samples, State


class Criterion(FixedOnceCompiled):
    """When does a perturbed sample count as adversarial?

    ``f(x + delta) = loss(x + delta) - baseline(x) + kappa``; the attack succeeded where
    ``f <= 0``. Subclasses define :meth:`loss`, and :meth:`check` for what they need
    from the model and the labels. Once it has judged, in an attack or by itself, its
    settings are compiled and fixed.

    Args:
        model: a built Keras model of floating point input, called with
            ``training=False``; its weights at the time of an attack are the ones
            attacked. What it draws all the same, such as the code of a variational
            autoencoder, is drawn alike in every pass over a batch, row by row, and
            its state stays as it is.
        kappa: margin by which the criterion must be met, in units of the loss.

    Raises:
        AttributeError: from an assignment to a setting that is fixed.

    Attributes:
        maximizes_similarity: whether an attack pushes the similarity up (supervised:
            look like x, be classified otherwise) or down (unsupervised: look unlike x,
            be handled no worse). Hsu et al., AAAI 2022, sections 3.1 and 3.2.
    """

    maximizes_similarity: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False

    def __init__(self, model: keras.Model, kappa: float = 0.0) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                "`model` must be a keras.Model. "
                f"Received: model={model!r} of type {type(model).__name__}"
            )
        self.model = model
        self.kappa = kappa
        # A partial of its own, so that TensorFlow counts the traces of this one alone.
        self._compiled = tf.function(
            functools.partial(self._evaluate_batch), autograph=False
        )

    def check(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Raises before any work where model, samples and labels do not fit."""
        if not self.model.built:
            raise ValueError(
                f"The model {self.model.name!r} is not built, so it has no weights to "
                "attack. Call it once on a batch, or give it a keras.Input."
            )
        if self.needs_labels and y is None:
            raise ValueError(
                f"{type(self).__name__} compares outputs with labels, and none came. "
                "Pass them as `y`, shape (N,), integers."
            )
        for tensor in getattr(self.model, "inputs", None) or ():
            if not keras.backend.is_float_dtype(tensor.dtype):
                raise ValueError(
                    f"The model {self.model.name!r} takes {tensor.dtype}: perturbed "
                    "samples would lose their fractions on the way in, and have no "
                    "gradient. Build it with a keras.Input of floating point."
                )
        expected = getattr(self.model, "input_shape", None)
        if isinstance(expected, tuple) and not _fits(x.shape[1:], expected[1:]):
            raise ValueError(
                f"`x` does not fit the model {self.model.name!r}. Expected samples of "
                f"shape {expected[1:]}. Received: x of shape {x.shape}, that is "
                f"samples of shape {x.shape[1:]}."
            )

    def check_start(
        self, x: np.ndarray, y: np.ndarray | None, first_id: int = 0
    ) -> None:
        """Raises where an attack on ``x`` would have nothing to do.

        An attack calls it after :meth:`check`; evaluating examples does not.

        Args:
            x: ``(N, *shape)``.
            y: ``(N,)`` labels, or None.
            first_id: position of the first row in the whole data, for the message.
        """

    def output_shape(self, shape: tuple[int, ...]) -> Any:
        """Shape of the model's output for a sample of ``shape``, no batch axis.

        Raises:
            ValueError: the model does not take such samples.
        """
        return output_shape(self.model, shape)

    def outputs(self, examples: Samples) -> tf.Tensor:
        """The model's outputs for ``examples``, float32."""
        # Each scope starts from the variables as they are: nothing of the model moves,
        # and what it draws for x it draws for x + delta.
        with keras.StatelessScope():
            return tf.cast(self.model(examples, training=False), tf.float32)

    def prepare(self, x: Samples, y: tf.Tensor | None, outputs: tf.Tensor) -> State:
        """What :meth:`value` needs to know of the clean samples."""
        context = {"x": x, "baseline": tf.zeros(tf.shape(x)[0])}
        if y is not None:
            context["y"] = y
        return {**context, "baseline": self.loss(outputs, context)}

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        """The loss whose change is judged, ``(batch,)``."""
        raise NotImplementedError(f"{type(self).__name__} must override `loss`.")

    def value(self, outputs: tf.Tensor, context: State) -> PerSample:
        """f, ``(batch,)``: at most 0 where the attack succeeded.

        Raises:
            ValueError: :meth:`loss` does not return one number per sample.
        """
        loss = self.loss(outputs, context)
        if loss.shape.rank not in (None, 1):
            raise ValueError(
                f"{type(self).__name__}.loss must return one number per sample, shape "
                f"(batch,). Received: a loss of shape {tuple(loss.shape)}"
            )
        return loss - context["baseline"] + self.kappa

    def check_gradient(self, outputs: tf.Tensor, context: State) -> None:
        """Raises where f has no gradient in ``outputs`` that an attack could descend.

        An attack would go where its similarity leads, as if there were no criterion.
        """
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            f = self.value(outputs, context)
        if all(g is None for g in tf.nest.flatten(tape.gradient(f, outputs))):
            raise ValueError(
                f"{type(self).__name__}.loss has no gradient with respect to `outputs`,"
                " which attacks descend. Make it of differentiable operations: without "
                "argmax, comparisons, rounding or numpy."
            )

    def evaluate(
        self,
        x: np.ndarray,
        examples: np.ndarray,
        y: np.ndarray | None = None,
        batch_size: int = 256,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluates f and the clean samples' loss by two plain forward passes.

        An attack reports f from inside its compiled loop; this is the independent look
        at the same number.

        Args:
            x: ``(N, *shape)`` clean samples.
            examples: ``(N, *shape)`` perturbed samples.
            y: ``(N,)`` labels, where the criterion needs them.
            batch_size: samples per forward pass.

        Returns:
            f ``(N,)`` and the baseline ``(N,)``; ``f / baseline`` is the relative
            change of the loss.
        """
        x, examples = np.asarray(x, np.float32), np.asarray(examples, np.float32)
        if x.shape != examples.shape or len(x) == 0:
            raise ValueError(
                "`x` and `examples` must be samples of the same shape, one or more. "
                f"Received: x of shape {x.shape}, examples of shape {examples.shape}"
            )
        if y is not None:
            check_labels(y, len(x))
        self.check(x, y)
        size = min(batch_size, len(x))
        values, baselines = [], []
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            batch = [
                tf.constant(pad_to(np.asarray(part[rows]), size))
                for part in (x, examples, y)
                if part is not None
            ]
            value, baseline = self._compiled(*batch)
            values.append(value.numpy())
            baselines.append(baseline.numpy())
        return np.concatenate(values)[: len(x)], np.concatenate(baselines)[: len(x)]

    def _evaluate_batch(
        self, x: tf.Tensor, examples: tf.Tensor, y: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        context = self.prepare(x, y, self.outputs(x))
        f = self.value(self.outputs(examples), context)
        self.freeze_settings()  # Runs when traced, not when called.
        return f, context["baseline"]

    def get_config(self) -> dict[str, Any]:
        """Settings without the model: weights do not belong in a manifest."""
        return {"kappa": self.kappa}

    @classmethod
    def from_config(cls, config: dict[str, Any], model: keras.Model) -> Criterion:
        """The criterion with these settings on ``model``."""
        return cls(model, **config)

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({self.model.name!r}, {settings})"


def check_labels(y: np.ndarray, count: int, name: str = "y") -> None:
    """Raises where there is not one entry of ``y`` for each sample."""
    if np.ndim(y) == 0 or len(y) != count:
        raise ValueError(
            f"`x` and `{name}` must have the same length. Received: {count} samples "
            f"and `{name}` of shape {np.shape(y)}"
        )


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        want in (None, have) for have, want in zip(shape, expected, strict=True)
    )
