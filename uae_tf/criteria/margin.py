"""Success for classifiers: the logits' margin changes sign."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ..models import check_logits
from ..types import PerSample, Samples, State
from .criterion import Criterion


class _Margin(Criterion):
    """Shared by both margins: logits, labels, and no loss of x to subtract."""

    maximizes_similarity = True
    needs_labels = True

    def __init__(self, model: keras.Model, kappa: float = 0.0) -> None:
        super().__init__(model, kappa)
        self._num_classes: dict[tuple[int, ...], int] = {}

    def check(self, x: np.ndarray, y: np.ndarray | None) -> None:
        super().check(x, y)
        shape = tuple(x.shape[1:])
        if shape not in self._num_classes:
            self._num_classes[shape] = check_logits(self.model, shape)
        _check_classes(np.asarray(y), self._num_classes[shape])

    def prepare(self, x: Samples, y: tf.Tensor | None, outputs: tf.Tensor) -> State:
        del outputs
        # f is the margin itself: what the clean sample's is does not matter.
        return {"baseline": tf.zeros(tf.shape(x)[0]), "y": tf.cast(y, tf.int32)}


@keras.saving.register_keras_serializable("uae_tf")
class UntargetedMargin(_Margin):
    """``f = logit_y - max_{j != y} logit_j + kappa``: any other class will do.

    Labels ``y`` are those the examples must *not* be given: integers ``(N,)``. An
    attack with a similarity maximises it here: look like x, be classified otherwise.

    Args:
        model: a built classifier that returns logits ``(batch, classes)``.
        kappa: by how much the other class must lead, in logits.

    Raises:
        ValueError: a model without logits, labels that are missing, not integers,
            one-hot or out of range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
        >>> x = np.array([[0.75, 0.25]], "float32")
        >>> f, _ = UntargetedMargin(model).evaluate(x, x, y=np.array([0]))
        >>> float(f[0])
        0.5

    Reference:
        Hsu et al., AAAI 2022, section 3.1; Carlini and Wagner 2017; SPEC 1.3.
    """

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        own, others = _own_and_others(outputs, context["y"])
        return own - others


@keras.saving.register_keras_serializable("uae_tf")
class TargetedMargin(_Margin):
    """``f = max_{j != y'} logit_j - logit_y' + kappa``: class y' and no other.

    ``y`` are the *target* classes y', integers ``(N,)``, not the labels. Attack samples
    that the model classifies correctly, each with a target other than its label.

    Args:
        model: a built classifier that returns logits ``(batch, classes)``.
        kappa: by how much the target must lead, in logits.

    Raises:
        ValueError: as :class:`UntargetedMargin`; and, from an attack, a sample that the
            model gives its target class already: its target is its label, or the
            model errs on it. Such an attack would be a success that moved nothing.

    Cost:
        An attack looks at the clean samples once more, by one forward pass.

    Reference:
        Hsu et al., AAAI 2022, section 3.1; SPEC 1.3.
    """

    def check_start(
        self, x: np.ndarray, y: np.ndarray | None, first_id: int = 0
    ) -> None:
        super().check_start(x, y, first_id)
        # The margin itself, so that kappa plays no part in who is refused.
        reached = self.evaluate(x, x, y)[0] - self.kappa < 0.0
        if not reached.any():
            return
        rows = first_id + np.flatnonzero(reached)
        named = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
        raise ValueError(
            "`y` must hold target classes other than the samples' own: TargetedMargin "
            "takes targets, not labels. Received: targets that the model "
            f"{self.model.name!r} gives already to {len(rows)} of {len(x)} samples "
            f"(rows {named}). Choose other targets, or leave these samples out."
        )

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        own, others = _own_and_others(outputs, context["y"])
        return others - own


def _own_and_others(
    logits: tf.Tensor, classes: tf.Tensor
) -> tuple[PerSample, PerSample]:
    """The logit of each row's class, and the largest of the others."""
    is_own = tf.one_hot(classes, logits.shape[-1], on_value=True, off_value=False)
    own = tf.gather(logits, classes, axis=1, batch_dims=1)
    others = tf.where(is_own, logits.dtype.min, logits)
    return own, tf.reduce_max(others, axis=1)


def _check_classes(y: np.ndarray, num_classes: int) -> None:
    if y.ndim == 2 and y.shape[1] == num_classes:
        raise ValueError(
            f"`y` must hold class numbers, shape (N,). Received: y of shape {y.shape}, "
            "which looks one-hot. Pass y.argmax(axis=1)."
        )
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(
            "`y` must hold class numbers: integers, shape (N,). "
            f"Received: y of shape {y.shape} and dtype {y.dtype}"
        )
    if y.size and not 0 <= y.min() <= y.max() < num_classes:
        raise ValueError(
            f"`y` must lie in [0, {num_classes}), the classes of the model. "
            f"Received: classes from {y.min()} to {y.max()}"
        )
