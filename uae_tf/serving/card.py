"""The card of an exported model: what it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from ..attacks import Attack
from ..criteria import Criterion
from ..environment import VERSIONS, environment
from ..files import to_plain

CARD = "card.json"
#: What only the one who trained the model knows.
FIELDS = ("description", "data", "licence", "settings", "seeds", "metrics")


def check_card(card: Mapping[str, Any] | None) -> dict[str, Any]:
    """The given fields, in order, None where nothing was said.

    Raises:
        ValueError: a field that a card does not have.
        TypeError: a value that JSON cannot hold.
    """
    if not isinstance(card, Mapping | None):
        raise TypeError(f"`card` must be a dict. Received: card={card!r}")
    card = {} if card is None else dict(card)
    unknown = sorted(set(card) - set(FIELDS))
    if unknown:
        raise ValueError(
            f"`card` may have the fields {', '.join(FIELDS)}. Received: {unknown}"
        )
    return {name: to_plain(card.get(name), f"card.{name}") for name in FIELDS}


def describe_model(
    model: keras.Model,
    bounds: tuple[float, float],
    criterion: Criterion | None,
    attack: Attack | None,
) -> dict[str, Any]:
    """What the exporter knows by itself: the model, score, attack and software."""
    return {
        "model": {
            "class": type(model).__name__,
            "name": model.name,
            "parameters": model.count_params(),
            "bounds": list(bounds),
        },
        "score": _describe(criterion),
        "attack": _describe(attack),
        "made_with": _software(),
    }


def describe_signature(function: Any) -> dict[str, Any]:
    """Names, types and shapes of an exported function's inputs and outputs."""
    concrete = function.get_concrete_function()
    return {
        "inputs": {
            spec.name: _describe_spec(spec) for spec in function.input_signature
        },
        "outputs": {
            name: _describe_spec(spec)
            for name, spec in concrete.structured_outputs.items()
        },
    }


def _software() -> dict[str, Any]:
    # Not the whole environment: a card is published, the command line is private.
    names = ("date", "python", *VERSIONS)
    described = environment()
    return {name: described[name] for name in names}


def _describe(part: Criterion | Attack | None) -> dict[str, Any] | None:
    if part is None:
        return None
    return {"class": type(part).__name__, **part.get_config()}


def _describe_spec(spec: tf.TensorSpec | tf.Tensor) -> dict[str, Any]:
    return {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
