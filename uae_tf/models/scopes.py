"""Keras's global settings, set to ours for as long as something is built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def channels_last() -> Iterator[None]:
    """Make layers that take (height, width, channels), whatever Keras's own setting.

    A context, and a decorator of functions that make layers.
    """
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@contextmanager
def default_dtype(policy: Any) -> Iterator[None]:
    """Make layers of another dtype policy than Keras's own setting.

    Args:
        policy: Such as `"mixed_bfloat16"`.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
