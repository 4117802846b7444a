"""What our functional models add to Keras's, so that a file gives them back whole."""

from __future__ import annotations

from typing import Any

import keras

from .scopes import default_dtype


class FunctionalModel(keras.Model):
    """Base of functional models that have a constructor of their own.

    Of a model made by `keras.Model(inputs, outputs)` Keras saves every layer; of one
    with a constructor of its own only what `get_config` returns, and the constructor
    makes the layers anew. So here the config says which layers are frozen, and in what
    dtype policy they were made; `from_config` restores both. Configs without these
    keys, such as those of older files, load as well.

    Args:
        *args: Inputs and outputs, as `keras.Model` takes them.
        trainable: Whether the layers train. Defaults to True.
        dtype: What `get_config` returns: the dtype policy the layers were made in.
            Defaults to None: Keras's global one, which alone is possible.
        **kwargs: `inputs`, `outputs` and `name` of `keras.Model`.

    Raises:
        ValueError: `dtype` is not Keras's global policy.
    """

    def __init__(
        self, *args: Any, trainable: bool = True, dtype: Any = None, **kwargs: Any
    ) -> None:
        policy = keras.config.dtype_policy()
        if dtype is not None and keras.dtype_policies.get(dtype) != policy:
            raise ValueError(
                "The layers are made in Keras's global dtype policy. Received: "
                f"dtype={dtype!r} under {policy.name!r}. Call "
                "keras.config.set_dtype_policy before the model is made."
            )
        super().__init__(*args, **kwargs)
        # Not by Keras, which would set the model's flag before it has layers.
        if not trainable:
            self.trainable = False

    def get_config(self) -> dict[str, Any]:
        """Return the arguments and the state that every functional model shares."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            "frozen_layers": frozen_layers(self),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> FunctionalModel:
        """Rebuild a model from `get_config`, frozen where it was."""
        config = dict(config)
        frozen = config.pop("frozen_layers", None)
        with default_dtype(keras.dtype_policies.get(config.pop("dtype", None))):
            model = super().from_config(config, custom_objects)
        if frozen is not None:
            freeze_layers(model, frozen)
        return model


def frozen_layers(model: keras.Model) -> list[int]:
    """Return the places of the layers of a model that do not train."""
    # By their place: the name of a layer that was given none may change.
    parts = enumerate(model._flatten_layers(include_self=False))
    return [place for place, part in parts if not part.trainable]


def freeze_layers(model: keras.Model, frozen: list[int]) -> None:
    """Set which layers train: all but those at the places `frozen`."""
    parts = enumerate(model._flatten_layers(include_self=False))
    # First those that hold layers: they hand their setting down.
    for place, part in sorted(parts, key=lambda pair: not pair[1]._layers):
        if part.trainable == (place in frozen):
            part.trainable = place not in frozen
