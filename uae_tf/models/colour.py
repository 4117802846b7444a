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


def jitter(planes: Any, parameters: Mapping[str, Any]) -> Any:
    """Change brightness, contrast, saturation and hue, in each image's own order.

    Every step is one affine map of a pixel or a turn of its hue. All images go through
    four steps; in each, an image takes the change that its order names. What the four
    changes do equals TensorFlow's `adjust_*`, with brightness a factor.

    Args:
        planes: (3, batch, pixels) in [0, 1]: channels first, since operations on a last
            axis of 3 are slow on a CPU.
        parameters: `brightness`, `contrast`, `saturation` factors and `hue` in turns,
            (batch,); `order` (batch, 4), a permutation of the four in that order.

    Returns:
        Shape of `planes`, clipped to [0, 1] after each step.

    Reference:
        SPEC 6.3.
    """
    for step in range(4):
        change = parameters["order"][:, step, None]
        planes = _step(planes, change, parameters)
    return planes


def to_grey(planes: Any) -> Any:
    """Return planes (3, batch, pixels) with their luma in all three."""
    luma = sum(weight * planes[i] for i, weight in enumerate(LUMA))
    return ops.stack([luma] * 3)


def _step(planes: Any, change: Any, parameters: Mapping[str, Any]) -> Any:
    brightness, contrast, saturation, hue = (
        parameters[name][:, None]
        for name in ("brightness", "contrast", "saturation", "hue")
    )
    red, green, blue = ops.unstack(planes, 3)
    largest = ops.maximum(ops.maximum(red, green), blue)
    smallest = ops.minimum(ops.minimum(red, green), blue)
    chroma = largest - smallest
    # Scaling the saturation by s moves a pixel towards or from its largest channel,
    # until the smallest one reaches 0.
    pull = ops.minimum(saturation, largest / (chroma + TINY))
    mean = ops.mean(planes, axis=2, keepdims=True)
    is_contrast = ops.equal(change, CONTRAST)
    is_saturation = ops.equal(change, SATURATION)
    factor = ops.where(is_contrast, contrast, brightness)
    factor = ops.where(is_saturation, pull, factor)
    offset = ops.where(is_contrast, (1.0 - contrast) * mean, 0.0)
    offset = ops.where(is_saturation, (1.0 - pull) * largest, offset)
    affine = factor * planes + offset
    turned = _turn_hue((red, green, blue), smallest, largest, hue)
    return ops.clip(ops.where(ops.equal(change, HUE), turned, affine), 0.0, 1.0)


def _turn_hue(channels: Any, smallest: Any, largest: Any, hue: Any) -> Any:
    """Turn the hue; the largest and the smallest channel keep their values."""
    red, green, blue = channels
    chroma = largest - smallest
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
    sixths = sixths + 6.0 * hue
    sixths = sixths - 6.0 * ops.floor(sixths / 6.0)
    # How much of the chroma each channel has, along the circle.
    shares = [
        ops.abs(sixths - 3.0) - 1.0,
        2.0 - ops.abs(sixths - 2.0),
        2.0 - ops.abs(sixths - 4.0),
    ]
    return smallest + chroma * ops.clip(ops.stack(shares), 0.0, 1.0)
