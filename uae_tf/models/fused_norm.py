"""Batch normalisation of image maps in one kernel."""

from __future__ import annotations

from typing import Any

import keras

from ..backend import ON_TENSORFLOW

# Of the maps that the kernel takes.
_DTYPES = ("float32", "float16", "bfloat16")


@keras.saving.register_keras_serializable("uae_tf")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation, whose training pass is one kernel on image maps.

    The same numbers, up to rounding, and the same weights. Keras 3 composes the pass
    of moments, differences and products, and each of them walks through the maps
    again; on CPUs that took more time than the convolutions (docs/DECISIONS.md).
    Inference, other shapes and masks, maps of float64 and weights of another dtype than
    float32, statistics synchronised over replicas, and other backends than TensorFlow
    are left to Keras.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        has_renorm = getattr(self, "renorm", False)  # Newer than Keras 3.8.
        is_plain = (
            ON_TENSORFLOW and mask is None and not (self.synchronized or has_renorm)
        )
        has_weights = self.gamma is not None and self.beta is not None
        is_maps = len(inputs.shape) == 4 and self.axis in (-1, 3)
        # What the kernel is there for: half precision has float32 weights too.
        is_known = self.variable_dtype == "float32" and (
            keras.backend.standardize_dtype(inputs.dtype) in _DTYPES
        )
        is_fit = is_plain and has_weights and is_maps and is_known
        if not (training and self.trainable and is_fit):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        values, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel divides by count - 1, Keras by count.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
        variance *= (count - 1.0) / count
        for average, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            average.assign(average * self.momentum + now * (1.0 - self.momentum))
        return values
