"""Crop and resize images by two small matrix products."""

from __future__ import annotations

from typing import Any

from keras import ops

# Keys's cubic kernel with the parameter that TensorFlow's bicubic resize has.
CUBIC = -0.5


def crop_and_resize(
    planes: Any, top: Any, left: Any, height: Any, width: Any, is_mirrored: Any
) -> Any:
    """Resize a crop of each image to the size of the whole, bicubic.

    Interpolation along an axis is linear in the pixels: a matrix per image and axis.
    The result is `rows @ plane @ columns'`, differentiable in the pixels, fast on every
    backend, and mirrored by reversing the columns' coordinates.

    Args:
        planes: (channels, batch, h, w) float32.
        top: (batch,) upper end of the crop, fraction of the image. Rounded, as the
            others are, to whole pixels: what is outside a crop never shines in.
        left: (batch,) left end.
        height: (batch,) height of the crop, fraction of the image.
        width: (batch,) width.
        is_mirrored: (batch,) bool, whether left and right are exchanged.

    Returns:
        Shape of `planes`; may leave their range by a few percent at sharp edges.

    Cost:
        `2 h w (h + w) channels` operations per image.
    """
    rows = _interpolation(top, height, planes.shape[2])
    columns = _interpolation(left, width, planes.shape[3])
    mirror = ops.reshape(is_mirrored, (-1, 1, 1))
    columns = ops.where(mirror, ops.flip(columns, axis=1), columns)
    narrow = ops.matmul(rows[None], planes)
    return ops.matmul(narrow, ops.transpose(columns, (0, 2, 1))[None])


def _interpolation(start: Any, extent: Any, size: int) -> Any:
    """(batch, size, size) weights of the pixels of an axis for each output pixel."""
    pixels = ops.maximum(ops.round(extent * size), 1.0)
    first = ops.round(start * size)
    # Rounding both ends separately could put the last pixel outside.
    first = ops.minimum(first, size - pixels)[:, None, None]
    pixels = pixels[:, None, None]
    output = ops.arange(size, dtype="float32")[None, :, None]
    source = ops.arange(size, dtype="float32")[None, None, :]
    # Centres of pixels: pixel k covers [k, k + 1).
    position = first + (output + 0.5) * pixels / size - 0.5
    weights = _cubic(ops.abs(position - source))
    is_inside = ops.logical_and(source >= first, source < first + pixels)
    weights = ops.where(is_inside, weights, 0.0)
    return weights / ops.sum(weights, axis=2, keepdims=True)


def _cubic(distance: Any) -> Any:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1.0
    far = CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    return ops.where(distance <= 1, near, ops.where(distance < 2, far, 0.0))
