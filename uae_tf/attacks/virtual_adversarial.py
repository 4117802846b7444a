"""The virtual adversarial perturbation, as an attack in its own right."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..criteria import Criterion, Divergence
from ..losses import virtual_adversarial_perturbation
from ..ops import all_finite, expand_like, fold_in, per_sample_normal
from ..types import Samples, Seeds
from .attack import Attack, Outcome

_STREAM = 7


@keras.saving.register_keras_serializable("uae_tf")
class VirtualAdversarialPerturbation(Attack):
    """Takes one step of length epsilon where the prediction is most sensitive.

    The perturbation of virtual adversarial training, made of any classifier without a
    label: power iteration on the Hessian of the divergence, from a random direction.
    The classifier is called with ``training=False`` here; within training,
    :class:`~uae_tf.VirtualAdversarialTraining` uses the same function.

    Args:
        criterion: a :class:`~uae_tf.Divergence`, with the classifier.
        epsilon: length (L2) of the step, in units of x. Published for images in [0, 1]:
            2.5 or 3.5 for SVHN (SPEC 7.1.2).
        xi: length of the step that the gradient is taken at.
        power_iterations: 1 as published; 0 leaves a random direction.
        bounds: examples are clipped to them, which only shortens the step.
        seed: base seed; see :class:`Attack`.

    Raises:
        TypeError: ``criterion`` is no :class:`~uae_tf.Divergence`.
        ValueError: ``epsilon`` or ``xi`` is not positive, ``power_iterations``
            negative.

    Cost:
        ``power_iterations`` gradients and two forward passes.

    Example:
        >>> import keras, numpy as np, uae_tf
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> attack = uae_tf.VirtualAdversarialPerturbation(
        ...     uae_tf.Divergence(model, kappa=0.0), epsilon=0.1)
        >>> result = attack(np.full((2, 4), 0.5, "float32"))
        >>> result.l2.round(3)
        array([0.1, 0.1], dtype=float32)

    Reference:
        Miyato et al., TPAMI 2018, algorithm 1; SPEC 7.1.1.
    """

    needs_criterion = True

    def __init__(
        self,
        criterion: Criterion,
        *,
        epsilon: float = 1.0,
        xi: float = 1e-2,
        power_iterations: int = 1,
        bounds: tuple[float, float] = (0.0, 1.0),
        seed: int = 0,
    ) -> None:
        super().__init__(criterion, bounds, 1, seed)
        if not isinstance(criterion, Divergence):
            raise TypeError(
                "`criterion` must be a uae_tf.Divergence: only there is the clean "
                "sample a minimum, whose curvature power iteration can follow. "
                f"Received: criterion={criterion!r}"
            )
        check_step(epsilon, xi, power_iterations)
        self.epsilon = epsilon
        self.xi = xi
        self.power_iterations = power_iterations

    def perturb(
        self, x: Samples, y: tf.Tensor | None, seeds: Seeds, trace: bool
    ) -> Outcome:
        del trace
        logits = self.criterion.outputs(x)
        context = self.criterion.prepare(x, y, logits)
        r = virtual_adversarial_perturbation(
            self.criterion.outputs,
            x,
            logits,
            per_sample_normal(fold_in(seeds, _STREAM), x.shape[1:]),
            self.epsilon,
            self.xi,
            self.power_iterations,
        )
        is_finite = all_finite(r)
        examples = tf.clip_by_value(x + r, *self.bounds)
        f = self.criterion.value(self.criterion.outputs(examples), context)
        is_finite &= tf.math.is_finite(f)
        return Outcome(
            examples=tf.where(expand_like(is_finite, x), examples, x),
            success=(f <= 0.0) & is_finite,
            similarity=tf.fill(tf.shape(f), float("nan")),
            criterion=tf.where(is_finite, f, float("nan")),
            is_finite=is_finite,
            trace={},
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["restarts"]
        names = ("epsilon", "xi", "power_iterations")
        return {**config, **{name: getattr(self, name) for name in names}}


def check_step(epsilon: float, xi: float, power_iterations: int) -> None:
    """Refuses settings of a virtual adversarial step that mean nothing.

    Raises:
        ValueError: ``epsilon`` or ``xi`` is not positive, ``power_iterations``
            negative.
    """
    for name, value in (("epsilon", epsilon), ("xi", xi)):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
    if power_iterations < 0:
        raise ValueError(
            "`power_iterations` must be at least 0. "
            f"Received: power_iterations={power_iterations}"
        )
