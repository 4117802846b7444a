"""Success for classifiers, without labels: the prediction moves."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ..losses import kl_divergence
from ..models import check_logits
from ..types import PerSample, Samples, State
from .criterion import Criterion


@keras.saving.register_keras_serializable("uae_tf")
class Divergence(Criterion):
    """``f = kappa - KL(p(x) || p(x + delta))``.

    The attack succeeded where the prediction moved by ``kappa`` nats or more. No label
    is needed: the clean prediction stands in for it. An attack that descends f, such as
    :class:`~uae_tf.PGDAttack` or :class:`~uae_tf.VirtualAdversarialPerturbation`,
    looks for the virtual adversarial direction.

    Args:
        model: a built classifier that returns logits ``(batch, classes)``.
        kappa: nats the prediction must move by; default 0.1. With 0 every attack
            succeeds.

    Raises:
        ValueError: a model that is not built, does not fit ``x``, or whose output is
            no row of logits.

    Reference:
        Miyato et al., TPAMI 2018, equation 5; SPEC 7.1.1.
    """

    def __init__(self, model: keras.Model, kappa: float = 0.1) -> None:
        super().__init__(model, kappa)
        self._fitting_shapes: set[tuple[int, ...]] = set()

    def check(self, x: np.ndarray, y: np.ndarray | None) -> None:
        super().check(x, y)
        shape = tuple(x.shape[1:])
        if shape not in self._fitting_shapes:
            check_logits(self.model, shape)
            self._fitting_shapes.add(shape)

    def prepare(self, x: Samples, y: tf.Tensor | None, outputs: tf.Tensor) -> State:
        del y
        # The divergence of a prediction from itself: nothing to subtract.
        baseline = tf.zeros(tf.shape(x)[0])
        return {"baseline": baseline, "logits": tf.stop_gradient(outputs)}

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        divergence = kl_divergence(context["logits"], outputs)
        # Rounding takes it below 0. Only its value is mended: the gradient is good
        # there, and leads an attack away.
        return -divergence - tf.stop_gradient(tf.nn.relu(-divergence))
