"""CLAE: contrastive learning with adversarial examples, the literature's baseline."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..models import SimCLR


@keras.saving.register_keras_serializable("uae_tf")
class CLAE(SimCLR):
    """Adds, to each pair of views, an adversarial example of the first as a third view.

    ``x_adv = x_i + epsilon * sign(gradient of NTXent(z_i, z_adv) at x_adv = x_i)`` by
    one step, made anew in each update, and

    ``loss = NTXent(z_i, z_j) + alpha * NTXent(z_i, z_adv)``.

    The adversarial view goes through the same convolutions with normalisation layers of
    its own (statistics, scale and shift), while it is made as well as in the loss. They
    are not used afterwards: :meth:`embed` and a call in inference mode are SimCLR's.
    (Published momentum of those statistics: 0.99. Here it is the other branch's.)

    Args:
        encoder: as for :class:`~uae_tf.models.SimCLR`, made by Keras's functional API.
        projection: likewise.
        temperature: of both losses.
        augment: as for SimCLR.
        seed: as for SimCLR.
        epsilon: length of the step, in units of images in [0, 1]. Defaults to 0.015,
            the published 0.03 for images in [-1, 1].
        alpha: weight of the adversarial loss. Defaults to 1.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Raises:
        ValueError: an encoder that is not functional, or a negative number.

    Cost:
        Twice to two and a half times an update of SimCLR: one more view in the loss,
        and a forward and a backward pass to make it.

    Reference:
        Ho and Vasconcelos, NeurIPS 2020; SPEC 6.13, 6.14. Here, as published, x_adv is
        not clipped to the range of images. Re-derived from the paper.
    """

    def __init__(
        self,
        encoder: keras.Model,
        projection: keras.Model | None = None,
        temperature: float = 0.5,
        augment: keras.layers.Layer | None = None,
        seed: int | None = None,
        epsilon: float = 0.015,
        alpha: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if epsilon < 0 or alpha < 0:
            raise ValueError(
                "`epsilon` and `alpha` must be at least 0. "
                f"Received: epsilon={epsilon}, alpha={alpha}"
            )
        super().__init__(
            encoder, projection, temperature, augment, seed, True, **kwargs
        )
        self.epsilon = epsilon
        self.alpha = alpha

    def call(self, images: Any, training: bool = False) -> Any:
        """Projections; in training (3N, d_z): first, second and adversarial views."""
        if not training:
            return super().call(images)
        is_pair = isinstance(images, (tuple, list))
        pair = images if is_pair else (images, images)
        first, second = (self.augment(part, training=True) for part in pair)
        projections = self.project(tf.concat([first, second], axis=0), training=True)
        anchors = projections[: tf.shape(first)[0]]
        examples = self.adversarial_views(first, anchors)
        adversarial = self.project(examples, training=True, adversarial=True)
        return tf.concat([projections, adversarial], axis=0)

    def adversarial_views(self, views: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
        """One step away from where each view is found by its anchor.

        Args:
            views: ``(N, H, W, C)``.
            anchors: ``(N, d_z)``, their projections in the other branch.

        Returns:
            ``(N, H, W, C)``, ``epsilon`` from ``views`` in every entry whose gradient
            is not 0.
        """
        views, anchors = tf.stop_gradient(views), tf.stop_gradient(anchors)
        with tf.GradientTape() as tape:
            tape.watch(views)
            found = self.project(views, training=True, adversarial=True)
            loss = self._contrast(anchors, found)
            # Its sign is that of the gradient, which half precision may round to 0.
            if self.compiled:
                loss = self.optimizer.scale_loss(loss)
        gradient = tape.gradient(loss, views)
        # What the scale made overflow takes no step. The optimizer lowers it then.
        gradient = tf.where(tf.math.is_nan(gradient), tf.zeros_like(gradient), gradient)
        step = self.epsilon * tf.sign(gradient)
        return tf.stop_gradient(views + step)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Both losses in training, SimCLR's alone in evaluation.

        An activity regularizer counts in all passes, also the one for the views' step.
        """
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        first, second, adversarial = tf.split(y_pred, 3, axis=0)
        clean = super().compute_loss(x, y, tf.concat([first, second], 0))
        return clean + self.alpha * self._contrast(first, adversarial)

    @property
    def _is_second_apart(self) -> bool:
        # That set is of the views made here; both of a pair train the clean one.
        return False

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        # Always so here.
        del config["separate_batch_norm"]
        return {**config, "epsilon": self.epsilon, "alpha": self.alpha}
