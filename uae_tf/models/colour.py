"""Colour changes of images in [0, 1], one set of numbers per image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

# Positions in a row of `order`.
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
# ITU-R BT.601, as TensorFlow's rgb_to_grayscale.
LUMA = (0.2989, 0.5870, 0.1140)
# Added to a chroma that is divided by: grey pixels have no hue.
TINY = 1e-8


def jitter(images: Any, parameters: Mapping[str, Any]) -> Any:
    """Change brightness, contrast, saturation and hue, in each image's own order.

    Every step is one affine map of a pixel or a turn of its hue. All images go through
    four steps; in each, an image takes the change that its order names. What the four
    changes do equals TensorFlow's `adjust_*`, with brightness a factor.

    Args:
        images: (batch, height, width, 3) in [0, 1].
        parameters: `brightness`, `contrast`, `saturation` factors and `hue` in turns,
            (batch,); `order` (batch, 4), a permutation of the four in that order.

    Returns:
        Shape of `images`, clipped to [0, 1] after each step.

    Reference:
        SPEC 6.3.
    """
    for step in range(4):
        change = ops.reshape(parameters["order"][:, step], (-1, 1, 1, 1))
        images = _step(images, change, parameters)
    return images


def to_grey(images: Any) -> Any:
    """Return images (batch, height, width, 3) with their luma in all channels."""
    luma = sum(weight * images[..., i : i + 1] for i, weight in enumerate(LUMA))
    return ops.broadcast_to(luma, ops.shape(images))


def _step(images: Any, change: Any, parameters: Mapping[str, Any]) -> Any:
    brightness, contrast, saturation, hue = (
        ops.reshape(parameters[name], (-1, 1, 1, 1))
        for name in ("brightness", "contrast", "saturation", "hue")
    )
    largest = ops.max(images, axis=3, keepdims=True)
    smallest = ops.min(images, axis=3, keepdims=True)
    chroma = largest - smallest
    # Scaling the saturation by s moves a pixel towards or from its largest channel,
    # until the smallest one reaches 0.
    pull = ops.minimum(saturation, largest / (chroma + TINY))
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    is_contrast = ops.equal(change, CONTRAST)
    is_saturation = ops.equal(change, SATURATION)
    factor = ops.where(is_contrast, contrast, brightness)
    factor = ops.where(is_saturation, pull, factor)
    offset = ops.where(is_contrast, (1.0 - contrast) * mean, 0.0)
    offset = ops.where(is_saturation, (1.0 - pull) * largest, offset)
    affine = factor * images + offset
    turned = _turn_hue(images, largest, chroma, hue)
    return ops.clip(ops.where(ops.equal(change, HUE), turned, affine), 0.0, 1.0)


def _turn_hue(images: Any, largest: Any, chroma: Any, hue: Any) -> Any:
    """Turn the hue; the largest and the smallest channel keep their values."""
    red, green, blue = (images[..., i : i + 1] for i in range(3))
    scale = 1.0 / (chroma + TINY)
    # The hue in sixths of a turn, counted from the largest channel.
    from_red = (green - blue) * scale
    from_green = (blue - red) * scale + 2.0
    from_blue = (red - green) * scale + 4.0
    sixths = ops.where(
        ops.equal(largest, red),
        from_red,
        ops.where(ops.equal(largest, green), from_green, from_blue),
    )
    # Channel c falls short of the largest by chroma * clip(min(k, 4 - k), 0, 1), where
    # k is the hue shifted by 5, 3, 1 sixths, modulo 6.
    shift = ops.convert_to_tensor([5.0, 3.0, 1.0], dtype="float32")
    k = ops.mod(sixths + 6.0 * hue + shift, 6.0)
    return largest - chroma * ops.clip(ops.minimum(k, 4.0 - k), 0.0, 1.0)
