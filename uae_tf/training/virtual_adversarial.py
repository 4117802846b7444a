"""Virtual adversarial training (VAT)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..attacks.virtual_adversarial import check_step
from ..losses import virtual_adversarial_perturbation
from ..types import Samples
from .consistency import ConsistencyTraining

_STREAM = 1


@keras.saving.register_keras_serializable("uae_tf")
class VirtualAdversarialTraining(ConsistencyTraining):
    """Trains a classifier to predict x and x + r_vadv alike.

    ``L = L_nll + weight * mean KL(p(x) || p(x + r_vadv))``, where r_vadv of length
    epsilon is the direction in which the prediction moves most, found anew in every
    update from the current weights by power iteration.

    Args:
        classifier: a built model that returns logits. It is trained in place.
        epsilon: length (L2) of the perturbation, in units of x.
        xi: length of the step that power iteration takes its gradient at. Default
            1e-2; see ``docs/DECISIONS.md`` for why not the published 1e-6. Half
            precision needs 1e-1.
        power_iterations: default 1, as published. 0 is random perturbation training.
        weight: factor of the divergence, 1 as published.
        entropy_minimization: adds the mean entropy of unlabelled predictions
            ("VAT+EntMin").
        ramp_updates: as in :class:`ConsistencyTraining`, as is the rest.
        seed: of the random start directions.

    Cost:
        per update: a pass over labelled samples with gradient; over unlabelled ones a
        plain pass, one with gradient per power iteration, one with gradient.

    Example:
        >>> import numpy as np, uae_tf
        >>> model = VirtualAdversarialTraining(
        ...     uae_tf.models.DenseClassifier((2,), 2, (8,)), epsilon=0.1)
        >>> model.compile("adam")
        >>> x, y = np.zeros((4, 2), "float32"), np.arange(4) % 2
        >>> data = uae_tf.SemiSupervisedDataset(x, y, np.zeros((50, 2), "float32"))
        >>> history = model.fit(data, verbose=0)
        >>> model.predict(x, verbose=0).shape
        (4, 2)

    Reference:
        Miyato et al., TPAMI 2018; SPEC 7.1.
    """

    batch_parts = 2

    def __init__(
        self,
        classifier: keras.Model,
        epsilon: float = 1.0,
        xi: float = 1e-2,
        power_iterations: int = 1,
        weight: float = 1.0,
        entropy_minimization: bool = False,
        ramp_updates: int = 0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        check_step(epsilon, xi, power_iterations)
        super().__init__(
            classifier, weight, entropy_minimization, ramp_updates, seed, **kwargs
        )
        self.epsilon = epsilon
        self.xi = xi
        self.power_iterations = power_iterations

    def partners(self, x: Samples, logits: tf.Tensor, given: Samples | None) -> Samples:
        del given
        start = self.draw_normal(tf.shape(x), _STREAM)
        return x + virtual_adversarial_perturbation(
            self.passive_logits,
            x,
            logits,
            start,
            self.epsilon,
            self.xi,
            self.power_iterations,
        )

    def get_config(self) -> dict[str, Any]:
        names = ("epsilon", "xi", "power_iterations")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
