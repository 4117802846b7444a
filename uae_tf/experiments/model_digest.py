"""A digest by which a run knows the model that it was begun with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from typing import Any

import keras


def model_digest(model: keras.Model) -> str:
    """Digest of a model's architecture, optimizer and loss, as its configs tell them.

    Equal for the models that a factory makes, call by call: neither the values of
    weights nor names count, as Keras numbers those on. What has no config, such as some
    subclassed models, counts by its class and by the shapes of its weights alone; code
    is not looked at.

    Args:
        model: built and compiled.

    Returns:
        A sha256, as hexadecimal text.

    Example:
        >>> def factory(rate):
        ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
        ...     model.compile(keras.optimizers.SGD(rate), "mse")
        ...     return model
        >>> model_digest(factory(0.1)) == model_digest(factory(0.1))
        True
        >>> model_digest(factory(0.1)) == model_digest(factory(0.2))
        False
    """
    told: list[Any] = [
        type(model).__name__,
        [(tuple(w.shape), w.dtype, w.trainable) for w in model.weights],
    ]
    for get_config in (
        model.get_config,
        model.get_compile_config,
        lambda: model.optimizer.get_config(),
    ):
        # A user's class may lack it, or fail in its own way; a lambda is warned of.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told.append(_without_names(get_config(), {}))
    text = json.dumps(told, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_names(value: Any, places: dict[str, str]) -> Any:
    """A config with each name replaced by its place among the names, first to last.

    Args:
        value: of the config.
        places: name -> what stands for it; grows on the way.
    """
    if isinstance(value, dict):
        if value.get("class_name") == "__lambda__":
            # Its bytes are not the same in every process.
            return "a lambda"
        return {
            str(key): places.setdefault(entry, f"name {len(places)}")
            if key == "name" and isinstance(entry, str)
            else _without_names(entry, places)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        # Inputs of layers are lists that begin with the name of another one.
        return [
            places.get(entry, entry)
            if isinstance(entry, str)
            else _without_names(entry, places)
            for entry in value
        ]
    return value


def _plain(value: Any) -> Any:
    """What JSON has in the place of an array, or of an object without a config."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return type(value).__name__
