"""Similarity of Gaussian projections: everything follows from one correlation.

For M with i.i.d. Gaussian entries, the pair (Mx, M(x + delta)) is jointly Gaussian with
i.i.d. coordinates of correlation ``rho = cos(x, x + delta)`` (SPEC 4.5).
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..ops import cosine
from ..types import PerSample, Samples, State
from .similarity import Similarity

# At rho = 1 mutual information is infinite and its slope undefined; 1 - 1e-6 is the
# nearest correlation whose 1 - rho**2 float32 still resolves. Beyond it the slope is 0:
# what is left of it is rounding, times 1e6.
MAX_CORRELATION = 1.0 - 1e-6


class CorrelationSimilarity(Similarity):
    """Base of the similarities that see only ``rho = cos(x, x + delta)``."""

    def features(
        self,
        x: Samples,
        examples: Samples,
        outputs: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> tf.Tensor:
        del outputs, observed
        return cosine(x, examples)


def gaussian_mutual_information(rho: tf.Tensor, dimension: int = 1) -> tf.Tensor:
    """``-(dimension / 2) * ln(1 - rho**2)`` nats.

    Args:
        rho: correlations in [-1, 1], any shape; beyond 1 - 1e-6 taken as that.
        dimension: independent pairs of such a correlation.

    Returns:
        Non-negative numbers of the shape of ``rho``.

    Example:
        >>> import tensorflow as tf
        >>> round(float(gaussian_mutual_information(tf.constant(0.5))), 4)
        0.1438
    """
    rho = tf.clip_by_value(rho, -MAX_CORRELATION, MAX_CORRELATION)
    return -0.5 * dimension * tf.math.log1p(-tf.square(rho))


@keras.saving.register_keras_serializable("uae_tf")
class GaussianMI(CorrelationSimilarity):
    """Exact mutual information of Gaussian compressive measurements, closed form.

    ``I(Mx, M(x + delta)) = -(p / 2) ln(1 - rho^2)``, ``rho = cos(x, x + delta)``: the
    number that MINE on compressive views estimates, without a critic, at O(features).
    Minimising it minimises the size of the cosine, ``|rho|``.

    Args:
        projection_dimension: p, number of measurements. The default 1 gives nats per
            measurement; the published 128 multiplies them, which drowns the criterion
            unless the attack's ``similarity_weight`` is lowered in proportion.

    Cost:
        O(batch x features) time, no state.

    Example:
        >>> import tensorflow as tf
        >>> similarity = GaussianMI()
        >>> x = tf.constant([[3.0, 0.0]])
        >>> rho = similarity.features(x, tf.constant([[3.0, 3.0]]), None, None)
        >>> round(float(similarity.value(None, rho)[0]), 4)    # -ln(1 - 1/2) / 2
        0.3466

    Reference:
        SPEC 4.5 (derived from Hsu et al., AAAI 2022, section 3.1, random sampling).
    """

    def __init__(self, projection_dimension: int = 1) -> None:
        if projection_dimension < 1:
            raise ValueError(
                "`projection_dimension` must be at least 1. "
                f"Received: projection_dimension={projection_dimension}"
            )
        self.projection_dimension = projection_dimension

    def value(self, state: State, features: tf.Tensor) -> PerSample:
        del state
        return gaussian_mutual_information(features, self.projection_dimension)

    def get_config(self) -> dict[str, Any]:
        return {"projection_dimension": self.projection_dimension}
