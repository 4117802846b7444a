"""Success for models that reconstruct their input."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..ops import l2_norm, squared_norm
from ..types import PerSample, State
from .criterion import Criterion


@keras.saving.register_keras_serializable("uae_tf")
class Reconstruction(Criterion):
    """``f = ||x - Phi(x + delta)|| - ||x - Phi(x)|| + kappa``.

    The perturbed sample is still reconstructed as the *clean* one, and no worse than
    the clean one is.

    Args:
        model: a built model whose output has the shape of its input.
        norm: "l2" (paper) or "squared" (published code: sum of squares). Same sign of
            f at kappa 0, another scale of its gradient.
        kappa: margin, in units of the norm over all entries of a sample.

    Raises:
        ValueError: unknown norm; an output that does not fit the input; a model not
            built.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
        >>> f, baseline = Reconstruction(model).evaluate(
        ...     np.zeros((1, 4), "float32"), np.full((1, 4), 0.5, "float32"))
        >>> float(f[0]), float(baseline[0])
        (1.0, 0.0)

    Reference:
        Hsu et al., AAAI 2022, section 3.2; SPEC 1.4, 2.3.1, 4.9.
    """

    def __init__(
        self, model: keras.Model, norm: str = "l2", kappa: float = 0.0
    ) -> None:
        super().__init__(model, kappa)
        if norm not in ("l2", "squared"):
            raise ValueError(
                f'`norm` must be "l2" or "squared". Received: norm={norm!r}'
            )
        self.norm = norm
        self._fitting_shapes: set[tuple[int, ...]] = set()

    def check(self, x: np.ndarray, y: np.ndarray | None) -> None:
        super().check(x, y)
        shape = tuple(x.shape[1:])
        if shape in self._fitting_shapes:
            return
        received = self.output_shape(shape)
        if received != shape:
            raise ValueError(
                f"Reconstruction needs a model whose output fits its input. "
                f"{self.model.name!r} maps samples of shape {shape} to {received}. "
                "Use another criterion, or a model that reconstructs."
            )
        self._fitting_shapes.add(shape)

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        error = context["x"] - outputs
        return squared_norm(error) if self.norm == "squared" else l2_norm(error)

    def get_config(self) -> dict[str, Any]:
        return {"norm": self.norm, **super().get_config()}
