"""The random views that contrastive learning compares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ..backend import replica_context
from .colour import jitter, to_grey
from .crop import crop_and_resize

#: Uniform numbers that one view of one image is drawn from.
NUM_UNIFORMS = 15
# Ranges of brightness, contrast and saturation, and of hue, at strength 1.
COLOUR_RANGE, HUE_RANGE = 0.8, 0.2


@keras.saving.register_keras_serializable("uae_tf")
class SimCLRAugment(keras.layers.Layer):
    """Draw a random view of each image: crop, mirror, colour jitter, grey.

    A crop of random area and aspect ratio is resized to the whole image (bicubic), half
    of them mirrored. Most views have brightness, contrast, saturation and hue changed,
    in an order of their own, clipped to [0, 1] after each; a few are turned grey. Every
    image of a batch gets its own numbers.

    What is drawn and how it is applied are two methods: `apply` is pure, and its
    gradient with respect to the images is what an attack needs; the same parameters
    for two batches are common random numbers.

    Args:
        strength: Of the colour jitter: brightness is multiplied by 1 ± 0.8 strength,
            contrast and saturation likewise, hue turned by ± 0.2 strength of the
            circle. 0 leaves colours alone. Defaults to 0.5.
        crop_area: Smallest and largest area of a crop, fractions of the image.
        crop_ratio: Smallest and largest aspect ratio, width : height.
        jitter_probability: Share of views whose colours are changed.
        grey_probability: Share of views that are turned grey.
        seed: Integer, or None for a random one.
        **kwargs: `name` of the layer.

    Call arguments:
        images: (batch, height, width, 3), float in [0, 1]. Any number of channels if
            `strength` and `grey_probability` are 0.
        training: bool; False returns the images as they are.

    Returns:
        Shape of `images`, float32 in [0, 1].

    Raises:
        ValueError: A setting is out of range, or the images have no three channels.

    Randomness:
        A `SeedGenerator` of the layer's own, whose state is saved with the weights;
        the same seed gives the same sequence of views on one Keras backend, on one
        device and on several.

    Cost:
        Two small matrix products per image for the crop, about 60 passes over the
        pixels for the colours.

    Example:
        >>> augment = SimCLRAugment(seed=0)
        >>> augment(keras.ops.ones((2, 8, 8, 3)), training=True).shape
        TensorShape([2, 8, 8, 3])

    Reference:
        SPEC 6.3. The reference samples the height of a crop uniformly within bounds;
        here its area is uniform and its ratio log-uniform, as in torchvision.
    """

    def __init__(
        self,
        strength: float = 0.5,
        crop_area: tuple[float, float] = (0.08, 1.0),
        crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
        jitter_probability: float = 0.8,
        grey_probability: float = 0.2,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # Never half precision: 8 bits are fewer than an image's.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.strength = _check_strength(strength)
        self.crop_area = _check_range("crop_area", crop_area, at_most=1.0)
        self.crop_ratio = _check_range("crop_ratio", crop_ratio, at_most=math.inf)
        if not crop_ratio[0] <= 1 <= crop_ratio[1]:
            raise ValueError(
                "crop_ratio must include 1, or the whole image could not be a crop. "
                f"Received: crop_ratio={crop_ratio}."
            )
        self.jitter_probability = _check_share("jitter_probability", jitter_probability)
        self.grey_probability = _check_share("grey_probability", grey_probability)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        if not training:
            return images
        uniforms = self._uniforms(ops.shape(images)[0])
        return self.apply(images, self.parameters(uniforms))

    def draw(self, batch_size: Any, seed: Any = None) -> dict[str, Any]:
        """Draw the parameters of one view of each of `batch_size` images.

        Args:
            batch_size: Number of images; an integer or a scalar tensor.
            seed: Integer (repeatable) or `keras.random.SeedGenerator` (moves on).
                Defaults to the layer's own generator.

        Returns:
            See `parameters`.
        """
        seed = self.seed_generator if seed is None else seed
        return self.parameters(_uniform((batch_size, NUM_UNIFORMS), seed))

    def parameters(self, uniforms: Any) -> dict[str, Any]:
        """Turn uniform numbers into the parameters of views.

        For randomness from elsewhere, such as one seed per sample.

        Args:
            uniforms: (batch, NUM_UNIFORMS) in [0, 1).

        Returns:
            Name -> tensor whose first axis is the batch: `top`, `left`, `height` and
            `width` of the crop as fractions of the image, `is_mirrored`;
            `is_jittered`, `brightness`, `contrast` and `saturation` factors, `hue` in
            turns, `order` (batch, 4), `is_grey`.
        """
        unit = ops.unstack(uniforms, NUM_UNIFORMS, axis=1)
        spread = 2.0 * ops.stack(unit[6:10], axis=1) - 1.0
        colour = COLOUR_RANGE * self.strength
        return {
            **self._crop(*unit[:4]),
            "is_mirrored": unit[4] < 0.5,
            "is_jittered": ops.logical_and(
                unit[5] < self.jitter_probability, self.strength > 0
            ),
            "brightness": 1.0 + colour * spread[:, 0],
            "contrast": 1.0 + colour * spread[:, 1],
            "saturation": 1.0 + colour * spread[:, 2],
            "hue": HUE_RANGE * self.strength * spread[:, 3],
            "order": ops.argsort(ops.stack(unit[10:14], axis=1), axis=1),
            "is_grey": unit[14] < self.grey_probability,
        }

    def apply(self, images: Any, parameters: Mapping[str, Any]) -> Any:
        """Return the views that `parameters` describe: pure and differentiable.

        Args:
            images: (batch, height, width, channels) in [0, 1].
            parameters: What `draw` returned for as many images.

        Returns:
            Shape of `images`, float32 in [0, 1].
        """
        images = ops.cast(images, "float32")
        self._check_channels(images)
        box = [parameters[name] for name in ("top", "left", "height", "width")]
        size = images.shape[1:3]
        planes = ops.transpose(images, (3, 0, 1, 2))
        planes = crop_and_resize(planes, *box, parameters["is_mirrored"])
        planes = ops.reshape(planes, (images.shape[3], -1, size[0] * size[1]))
        # The bicubic kernel overshoots at edges.
        planes = ops.clip(planes, 0.0, 1.0)
        if self.strength > 0 and self.jitter_probability > 0:
            changed = jitter(planes, parameters)
            planes = ops.where(parameters["is_jittered"][:, None], changed, planes)
        if self.grey_probability > 0:
            grey = to_grey(planes)
            planes = ops.where(parameters["is_grey"][:, None], grey, planes)
        planes = ops.reshape(planes, (images.shape[3], -1, *size))
        return ops.transpose(planes, (1, 2, 3, 0))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return `input_shape`: a view is as large as its image."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "strength": self.strength,
            "crop_area": self.crop_area,
            "crop_ratio": self.crop_ratio,
            "jitter_probability": self.jitter_probability,
            "grey_probability": self.grey_probability,
            "seed": self.seed,
        }

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Keep how far the generator has moved, which Keras's weight files leave out.

        A run that `BackupAndRestore` resumes thus draws the views of a straight run.
        """
        super().save_own_variables(store)
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Put the generator back."""
        self.seed_generator.state.assign(store["seed_state"])

    def _uniforms(self, batch_size: Any) -> Any:
        # All replicas have the same generator: each takes its own rows of the numbers
        # for the whole batch, which one device would draw.
        context = replica_context()
        if context is None:
            shape = (batch_size, NUM_UNIFORMS)
            return _uniform(shape, self.seed_generator)
        shape = (context.num_replicas_in_sync * batch_size, NUM_UNIFORMS)
        uniforms = _uniform(shape, self.seed_generator)
        start = context.replica_id_in_sync_group * batch_size
        return uniforms[start : start + batch_size]

    def _crop(self, area: Any, ratio: Any, top: Any, left: Any) -> dict[str, Any]:
        smallest, largest = self.crop_area
        area = smallest + (largest - smallest) * area
        # A crop of this area fits the image if its ratio is within [area, 1 / area].
        bound = -ops.log(area)
        low = ops.maximum(math.log(self.crop_ratio[0]), -bound)
        high = ops.minimum(math.log(self.crop_ratio[1]), bound)
        ratio = ops.exp(low + (high - low) * ratio)
        height = ops.minimum(ops.sqrt(area / ratio), 1.0)
        width = ops.minimum(ops.sqrt(area * ratio), 1.0)
        return {
            "top": top * (1.0 - height),
            "left": left * (1.0 - width),
            "height": height,
            "width": width,
        }

    def _check_channels(self, images: Any) -> None:
        changes_colours = self.strength > 0 or self.grey_probability > 0
        if len(images.shape) != 4 or (changes_colours and images.shape[-1] != 3):
            raise ValueError(
                "SimCLRAugment expects images (batch, height, width, 3). Received "
                f"shape {tuple(images.shape)}. For other channels set strength=0 and "
                "grey_probability=0: crops and mirror images alone."
            )


def _uniform(shape: tuple[Any, ...], seed: Any) -> Any:
    # Of the layer's dtype, whatever Keras's default is.
    return keras.random.uniform(shape, dtype="float32", seed=seed)


def _check_strength(strength: float) -> float:
    # At 1.25 a factor reaches 0, and the images turn black.
    if not 0 <= strength <= 1.25:
        raise ValueError(
            f"strength must lie in [0, 1.25]. Received: strength={strength}."
        )
    return strength


def _check_share(name: str, share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must lie in [0, 1]. Received: {name}={share}.")
    return share


def _check_range(
    name: str, bounds: tuple[float, float], at_most: float
) -> tuple[float, float]:
    low, high = bounds
    if not 0 < low <= high <= at_most:
        raise ValueError(
            f"{name} must be (smallest, largest), both above 0 and at most {at_most}. "
            f"Received: {name}={bounds}."
        )
    return low, high
