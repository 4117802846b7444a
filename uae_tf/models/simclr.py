"""Contrastive learning of an encoder."""

from __future__ import annotations

import inspect
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ..losses import NTXent, nt_xent_logits
from .layers import batch_norm, chain, with_own_batch_norm
from .simclr_augment import SimCLRAugment


@keras.saving.register_keras_serializable("uae_tf")
class SimCLR(keras.Model):
    """Train an encoder to tell two random views of an image from those of others.

    `fit(images)` draws two views of each image, encodes and projects all of them in one
    batch, and minimises `NTXent`. `fit((images_a, images_b))` draws the first view from
    `images_a` and the second from `images_b`, such as an image and its adversarial
    example. Targets are not used. What is kept afterwards is the encoder: `embed`.

    Works on every Keras backend: an encoder trained under JAX serves under TensorFlow.

    Args:
        encoder: Built model from images (N, H, W, C) in [0, 1] to features (N, d).
        projection: Built model from features to (N, d_z), used in training and by the
            contrastive criterion, not by `embed`. Defaults to
            `projection_head(features)`.
        temperature: Of `NTXent`. Defaults to 0.5 (SPEC 6.1).
        augment: Layer that draws a view: `augment(images, training=True)`. Defaults to
            `SimCLRAugment(seed=seed)`.
        seed: Integer seed of the default `augment`.
        separate_batch_norm: Whether the second image of a pair, such as an adversarial
            example, is normalised by statistics, scales and shifts of its own, apart
            from the clean ones that `embed` uses (SPEC 6.14). Encoder and projection
            must be functional models. Defaults to False.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        images: (N, H, W, C) float in [0, 1], or a pair of such batches.
        training: bool. False projects the images as they are, those of a pair one batch
            after the other. True projects two random views of each image, or one of
            each image of a pair, which is what `fit` compares.

    Returns:
        Projections, float32, not normalised: (N, d_z), or of a pair and with
        `training=True` (2N, d_z), all first views and then all second views.

    Raises:
        ValueError: A model is not built, or the two do not fit each other; in `fit` and
            `evaluate` on arrays, images outside [0, 1] or of another shape, or a batch
            below 2.

    Attributes:
        encoder, projection, augment, temperature: As given.

    Randomness:
        Views from the seed of `augment`, in `fit` and in `evaluate` alike. The order of
        arrays is Keras's: after `keras.utils.set_random_seed` the same in every epoch,
        so that an image meets the same negatives. `retrain` draws one for each.

    Cost:
        Forward and backward pass of the encoder on 2N images; views, projection and
        loss add about 5 %. On a CPU compile with `jit_compile=False`: XLA's
        convolutions are several times slower there.

    Example:
        >>> from uae_tf.models import ResNet18
        >>> model = SimCLR(ResNet18(width=2, input_shape=(8, 8, 3)), seed=0)
        >>> model.compile("adam", run_eagerly=True)
        >>> _ = model.fit(np.ones((4, 8, 8, 3)), batch_size=4, verbose=0)
        >>> model.embed(np.ones((4, 8, 8, 3))).shape
        TensorShape([4, 16])

    Reference:
        Chen et al., ICML 2020; SPEC 6.
    """

    def __init__(
        self,
        encoder: keras.Model,
        projection: keras.Model | None = None,
        temperature: float = 0.5,
        augment: keras.layers.Layer | None = None,
        seed: int | None = None,
        separate_batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        # Without it a mixed policy would round the images before they are augmented.
        super().__init__(**{**kwargs, "autocast": False})
        self.encoder = encoder
        features = _vector_length("encoder", encoder)
        self.projection = projection or projection_head(features)
        _vector_length("projection", self.projection)
        if self.projection.input_shape[-1] != features:
            raise ValueError(
                f"projection expects features of {self.projection.input_shape[-1]} "
                f"numbers, but the encoder gives {features}."
            )
        self.augment = augment or SimCLRAugment(seed=seed)
        self.seed = seed
        self.separate_batch_norm = separate_batch_norm
        if separate_batch_norm:
            self.adversarial_encoder = with_own_batch_norm(encoder, "adversarial")
            self.adversarial_projection = with_own_batch_norm(
                self.projection, "adversarial"
            )
        self._contrast = NTXent(temperature)
        self.temperature = temperature
        self.accuracy = keras.metrics.Mean(name="contrastive_accuracy")
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:
        if training:
            return self._project_views(images, training=True)
        if not isinstance(images, (tuple, list)):
            return self.project(images)
        first, second = images
        z_b = self.project(second, adversarial=self._is_second_apart)
        return ops.concatenate([self.project(first), z_b], axis=0)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of a batch of images."""
        return self.encoder.input_shape

    def embed(self, images: Any, training: bool = False) -> Any:
        """Return the features (N, d) of the images as they are."""
        return self.encoder(images, training=training)

    def project(
        self, images: Any, training: bool = False, adversarial: bool = False
    ) -> Any:
        """Return the projections (N, d_z) of the images as they are.

        Args:
            images: (N, H, W, C) in [0, 1].
            training: Whether to normalise by statistics of the batch. Nothing is
                augmented in any case.
            adversarial: Whether to use the second set of batch normalisation, for a
                model with `separate_batch_norm`.
        """
        encoder, projection = self.encoder, self.projection
        if adversarial:
            encoder = self.adversarial_encoder
            projection = self.adversarial_projection
        features = encoder(images, training=training)
        return ops.cast(projection(features, training=training), "float32")

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return NT-Xent of two views, and count how often the positive is closest.

        In training the losses of regularizers are added.

        Args:
            x: Images, or a pair of batches.
            y: Not used.
            y_pred: In training, the projections (2N, d_z) of two views. Otherwise not
                used: views are drawn here, since `call` projects the images themselves.
            sample_weight: Not used.
            training: Whether `y_pred` holds two views.
        """
        if not training:
            y_pred = self._project_views(x, training=False)
        z_a, z_b = ops.split(y_pred, 2, axis=0)
        logits, positives = nt_xent_logits(z_a, z_b, self.temperature)
        closest = ops.cast(ops.argmax(logits, axis=1), positives.dtype)
        self.accuracy.update_state(ops.equal(closest, positives))
        loss = self._contrast(z_a, z_b)
        for extra in self.losses if training else []:
            # Keras's own: a replica adds its share.
            loss += ops.cast(self._aggregate_additional_loss(extra), loss.dtype)
        return loss

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as any Keras model; images in arrays are checked first."""
        given = inspect.signature(keras.Model.fit).bind(self, x, *args, **kwargs)
        options = given.arguments
        batch_size = options.get("batch_size") or 32
        validation_size = options.get("validation_batch_size") or batch_size
        for images in _arrays(x):
            # As Keras holds samples out.
            count = math.floor(len(images) * (1 - options.get("validation_split", 0)))
            self._check_images(images[:count], batch_size)
            if count < len(images):
                self._check_images(images[count:], validation_size)
        held_out = options.get("validation_data")
        # Keras hands it to `evaluate`, but after the first epoch.
        for images in _arrays(held_out[0] if isinstance(held_out, tuple) else None):
            self._check_images(images, validation_size)
        built = not self.compiled or self.optimizer.built
        if not built and keras.backend.backend() == "tensorflow":
            # Or the first step makes the optimizer's variables, and Keras traces it
            # a second time: seven seconds for a ResNet-18.
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Measure as any Keras model; images in arrays are checked first."""
        given = inspect.signature(keras.Model.evaluate).bind(self, x, *args, **kwargs)
        for images in _arrays(x):
            self._check_images(images, given.arguments.get("batch_size") or 32)
        return super().evaluate(x, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        serialize = keras.saving.serialize_keras_object
        return {
            "encoder": serialize(self.encoder),
            "projection": serialize(self.projection),
            "temperature": self.temperature,
            "augment": serialize(self.augment),
            "seed": self.seed,
            "separate_batch_norm": self.separate_batch_norm,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> SimCLR:
        """Rebuild a model from `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("encoder", "projection", "augment")
        }
        return cls(**{**config, **parts})

    @property
    def _is_second_apart(self) -> bool:
        """Whether the second of a pair has the second set of normalisation."""
        return self.separate_batch_norm

    def _project_views(self, x: Any, training: bool) -> Any:
        """(2N, d_z): projections of a view of each image, then of another."""
        is_pair = isinstance(x, (tuple, list))
        first, second = x if is_pair else (x, x)
        first, second = (
            self.augment(images, training=True) for images in (first, second)
        )
        if is_pair and self._is_second_apart:
            z_a = self.project(first, training)
            return ops.concatenate([z_a, self.project(second, training, True)], axis=0)
        # One batch: the statistics are those of both views.
        return self.project(ops.concatenate([first, second], axis=0), training)

    def _check_images(self, images: np.ndarray, batch_size: int) -> None:
        expected = tuple(self.encoder.input_shape[1:])
        if images.shape[1:] != expected:
            raise ValueError(
                f"The encoder expects images (N, {', '.join(map(str, expected))}). "
                f"Received shape {images.shape}."
            )
        if batch_size < 2 or len(images) % batch_size == 1:
            raise ValueError(
                "Contrastive learning needs batches of 2 images or more: one alone has "
                f"no negatives. Received {len(images)} images in batches of "
                f"{batch_size}, so that the last one holds "
                f"{len(images) % batch_size or batch_size}. Leave one out, or choose "
                "another batch_size."
            )
        low, high = images.min(), images.max()
        if not (low >= 0 and high <= 1):
            raise ValueError(
                "Images must be finite and lie in [0, 1]. Received values from "
                f"{low:.6g} to {high:.6g}. Divide bytes by 255."
            )


def projection_head(features: int) -> keras.Model:
    """Return the projection of SimCLR: two hidden layers, batch-normalised throughout.

    `features - features - features - features / 4` units (512-512-512-128 for a
    ResNet-18 of width 64); no bias at the end. Always float32: beside the encoder it
    costs nothing.

    Args:
        features: Length of the encoder's output, >= 4.

    Reference:
        SPEC 6.4.
    """
    if features < 4:
        raise ValueError(
            "projection_head needs an encoder of 4 features or more. "
            f"Received: features={features}."
        )
    layers: list[keras.layers.Layer] = []
    for number, units in enumerate((features, features, features // 4), start=1):
        is_last = number == 3
        layers += [
            keras.layers.Dense(
                units,
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                name=f"dense{number}",
                dtype="float32",
            ),
            batch_norm(f"norm{number}", center=not is_last, dtype="float32"),
        ]
        if not is_last:
            layers.append(keras.layers.ReLU(name=f"relu{number}", dtype="float32"))
    inputs = keras.Input(shape=(features,), name="features")
    return keras.Model(inputs, chain(layers, inputs), name="projection")


def _arrays(x: Any) -> list[np.ndarray]:
    """Images given as arrays, of one batch or of a pair."""
    parts = x if isinstance(x, tuple) else (x,)
    return [part for part in parts if isinstance(part, np.ndarray)]


def _vector_length(name: str, model: keras.Model) -> int:
    shape = getattr(model, "output_shape", None) if model.built else None
    if not (isinstance(shape, tuple) and len(shape) == 2 and shape[1]):
        raise ValueError(
            f"{name} must be a built Keras model that returns (batch, units). "
            f"Received {model!r} with output shape {shape}."
        )
    return shape[1]
