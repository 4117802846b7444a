"""The residual encoder of the contrastive experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .functional import FunctionalModel
from .layers import batch_norm, check_image_shape, check_units
from .scopes import channels_last, default_dtype

STEMS = ("cifar", "imagenet")
# Basic blocks of each group; a group doubles the filters of the one before it.
BLOCKS = (2, 2, 2, 2)


@keras.saving.register_keras_serializable("uae_tf")
class ResNet18(FunctionalModel):
    """Encode images by an 18-layer residual network; the output is a feature vector.

    Stem; four groups of two basic blocks (3x3, 3x3, addition, ReLU) with `width`, 2, 4
    and 8 times `width` filters and strides 1, 2, 2, 2; mean over positions. The first
    block of each group has a projection shortcut. The last scale of a block starts at
    0, so that every block starts as its shortcut.

    Args:
        stem: `"cifar"`, a 3x3 convolution of stride 1 and no pooling, for images of
            about 32x32; `"imagenet"`, 7x7 of stride 2 and a max-pooling.
        width: Filters of the first group. Defaults to 64, as published.
        input_shape: (height, width, channels). Defaults to (32, 32, 3).
        dtype: Dtype policy of the layers, such as `"mixed_bfloat16"`. Defaults to
            Keras's global one. The mean over positions is float32 in any case.
        name: Name of the model.
        **kwargs: `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, height, width, channels), float in [0, 1].
        training: bool; True normalises by statistics of the batch.

    Returns:
        (batch, 8 * width) float32 features.

    Raises:
        ValueError: Unknown `stem`, `width` is no positive integer, or `input_shape` is
            not that of an image.

    Randomness:
        Initial weights, from Keras's global seed.

    Example:
        >>> ResNet18(width=4).output_shape
        (None, 32)

    Reference:
        SPEC 6.4. Not published: the stem for large images follows He et al., 2016.
    """

    def __init__(
        self,
        stem: str = "cifar",
        width: int = 64,
        input_shape: Sequence[int] = (32, 32, 3),
        dtype: Any = None,
        name: str = "resnet18",
        **kwargs: Any,
    ) -> None:
        if stem not in STEMS:
            raise ValueError(
                f"stem must be one of {', '.join(map(repr, STEMS))}. "
                f"Received: stem={stem!r}."
            )
        shape = check_image_shape(input_shape)
        (filters,) = check_units("width", (width,))
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        inputs = keras.Input(shape=shape, name="images")
        features = _features(inputs, stem, filters, policy)
        # The model's own policy says whether `compile` scales the loss, and a file
        # gives it that of its layers.
        with default_dtype(policy):
            super().__init__(inputs, features, name=name, **kwargs)
        self.stem = stem
        self.width = filters
        self.sample_shape = shape
        self.layers_dtype = policy.name

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "stem": self.stem,
            "width": self.width,
            "input_shape": list(self.sample_shape),
            "dtype": self.layers_dtype,
        }


@channels_last()
def _features(x: Any, stem: str, width: int, dtype: Any) -> Any:
    if stem == "cifar":
        x = _convolution(x, width, 3, 1, "stem_conv", dtype)
    else:
        x = _convolution(x, width, 7, 2, "stem_conv", dtype)
    x = _relu(_normalise(x, "stem_norm", dtype), "stem_relu", dtype)
    if stem == "imagenet":
        x = keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for group, blocks in enumerate(BLOCKS):
        for block in range(blocks):
            stride = 2 if group > 0 and block == 0 else 1
            name = f"group{group + 1}_block{block + 1}"
            x = _basic_block(x, width * 2**group, stride, block == 0, name, dtype)
    # float32: a mean of half-precision numbers, and what a user reads.
    return keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)


def _basic_block(
    x: Any, filters: int, stride: int, has_projection: bool, name: str, dtype: Any
) -> Any:
    shortcut = x
    if has_projection:
        shortcut = _convolution(x, filters, 1, stride, f"{name}_shortcut_conv", dtype)
        shortcut = _normalise(shortcut, f"{name}_shortcut_norm", dtype)
    x = _convolution(x, filters, 3, stride, f"{name}_conv1", dtype)
    x = _relu(_normalise(x, f"{name}_norm1", dtype), f"{name}_relu1", dtype)
    x = _convolution(x, filters, 3, 1, f"{name}_conv2", dtype)
    x = _normalise(x, f"{name}_norm2", dtype, gamma_initializer="zeros")
    x = keras.layers.Add(name=f"{name}_add", dtype=dtype)([x, shortcut])
    return _relu(x, f"{name}_relu2", dtype)


def _convolution(
    x: Any, filters: int, size: int, stride: int, name: str, dtype: Any
) -> Any:
    if stride > 1 and size > 1:
        # The same on both sides, whatever the size of the image: "same" padding would
        # pad an even side on the right alone, and shift the maps.
        x = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_pad", dtype=dtype)(x)
    return keras.layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(),
        name=name,
        dtype=dtype,
    )(x)


def _normalise(x: Any, name: str, dtype: Any, **options: Any) -> Any:
    return batch_norm(name, dtype=dtype, **options)(x)


def _relu(x: Any, name: str, dtype: Any) -> Any:
    return keras.layers.ReLU(name=name, dtype=dtype)(x)
