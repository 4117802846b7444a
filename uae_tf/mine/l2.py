"""The L2 baseline of the paper in the place of mutual information."""

from __future__ import annotations

import keras
import tensorflow as tf

from ..ops import l2_norm
from ..types import PerSample, Samples, Seeds, State
from .similarity import Similarity


@keras.saving.register_keras_serializable("uae_tf")
class L2Similarity(Similarity):
    """Minus the distance between x and the reconstruction of x + delta.

    In an unsupervised attack this is the paper's L2-UAE baseline: *maximise*
    ``||x - Phi(x + delta)||_2`` under the same success rule (SPEC 1.12, 4.13). As the
    rule bounds that same distance by the one of x, the two pull against each other.

    Raises:
        ValueError: from an attack, a model whose output does not fit its input.

    Example:
        >>> import tensorflow as tf
        >>> features = tf.constant([[3.0, 4.0]])          # x - Phi(x + delta)
        >>> float(L2Similarity().value(None, features)[0])
        -5.0
    """

    def features(
        self,
        x: Samples,
        examples: Samples,
        outputs: tf.Tensor | None,
        observed: tf.Tensor | None,
    ) -> tf.Tensor:
        del examples, observed
        reconstruction = tf.cast(outputs, x.dtype)
        if not reconstruction.shape[1:].is_compatible_with(x.shape[1:]):
            raise ValueError(
                "L2Similarity compares x with its reconstruction, and needs a model "
                "whose output fits its input. Received: samples of shape "
                f"{tuple(x.shape[1:])} and outputs of "
                f"{tuple(reconstruction.shape[1:])}. Use another similarity, such as "
                "GaussianMI()."
            )
        return x - reconstruction

    def prepare(self, x: Samples, features: tf.Tensor, seeds: Seeds) -> State:
        # A loop carries at least one tensor; the value needs no state.
        del x, seeds
        return tf.zeros(tf.shape(features)[0])

    def value(self, state: State, features: tf.Tensor) -> PerSample:
        del state
        return -l2_norm(features)
