"""Small things that several models are built with."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import keras


# Any: Keras declares that keras.Input may return a list.
def chain(layers: Sequence[keras.layers.Layer], tensor: Any) -> Any:
    """Apply layers one after the other."""
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def check_units(name: str, units: Sequence[int]) -> tuple[int, ...]:
    """Return widths of layers as a tuple of positive integers, one or more.

    Raises:
        ValueError: They are not.
    """
    try:
        widths = tuple(operator.index(width) for width in units)
    except TypeError:
        widths = ()
    if not widths or min(widths) < 1:
        raise ValueError(
            f"{name} must be positive integers, one for each layer, such as (100, 50). "
            f"Received: {name}={units!r}."
        )
    return widths


def check_classes(num_classes: int) -> int:
    """Return `num_classes` if it is an integer of at least 2.

    Raises:
        ValueError: It is not.
    """
    try:
        count = operator.index(num_classes)
    except TypeError:
        count = 0
    if count < 2:
        raise ValueError(
            "num_classes must be an integer, at least 2. "
            f"Received: num_classes={num_classes!r}."
        )
    return count
