"""What the autoencoders of the paper have in common."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .functional import FunctionalModel
from .layers import chain
from .scopes import channels_last
from .self_target import SelfTarget

if TYPE_CHECKING:
    from .recipes import Recipe


class Autoencoder(SelfTarget, FunctionalModel):
    """Chain encoder and decoder layers into one functional Keras model.

    Subclasses hand over two lists of layers and a `get_config`. The whole is flat:
    `layers` lists every layer in order, so that a first convolution is found as
    `layers[1]`; `encoder` and `decoder` are models over the same layers and weights.
    `fit(x)` and `evaluate(x)` without a target reconstruct `x` itself, weighted by
    `sample_weight` where it is given.

    To clone a model use `type(model).from_config(model.get_config())`:
    `keras.models.clone_model` gives a plain functional model, as of every such class.

    Args:
        input_shape: Shape of one sample, without the batch axis.
        encoder_layers: Layers from a sample to its code.
        decoder_layers: Layers from a code to a sample.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape), float in [0, 1].
        training: bool; False is deterministic.

    Returns:
        (batch, *input_shape), in [0, 1].

    Attributes:
        encoder: `keras.Model` from samples to codes.
        decoder: `keras.Model` from codes to samples.
        sample_shape: `input_shape` as a tuple. (`input_shape` itself is a property
            of `keras.Model` and includes the batch axis.)
        recipe: The `Recipe` that `build` compiled the model with, else None. It is
            not saved with the model.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        encoder_layers: Sequence[keras.layers.Layer],
        decoder_layers: Sequence[keras.layers.Layer],
        **kwargs: Any,
    ) -> None:
        inputs = keras.Input(shape=input_shape, name="x")
        code = chain(encoder_layers, inputs)
        super().__init__(inputs=inputs, outputs=chain(decoder_layers, code), **kwargs)
        code_inputs = keras.Input(shape=code.shape[1:], name="code")
        outputs = chain(decoder_layers, code_inputs)
        flag = {"trainable": self.trainable}
        self.encoder = keras.Model(inputs, code, name="encoder", **flag)
        self.decoder = keras.Model(code_inputs, outputs, name="decoder", **flag)
        self.sample_shape = input_shape
        self.recipe: Recipe | None = None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments every subclass shares."""
        return {**super().get_config(), "input_shape": list(self.sample_shape)}


def check_input_shape(input_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return `input_shape` as a tuple of positive integers.

    Raises:
        ValueError: It is empty, or an entry is no positive integer.
    """
    try:
        entries = input_shape if isinstance(input_shape, Sequence) else [input_shape]
        shape = tuple(operator.index(size) for size in entries)
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(
            "input_shape must be the shape of one sample, positive integers without "
            f"the batch axis, such as (28, 28, 1). Received: {input_shape!r}."
        )
    return shape


def check_latent_dim(latent_dim: int) -> int:
    """Return `latent_dim` if it is a positive integer.

    Raises:
        ValueError: It is not.
    """
    try:
        size = operator.index(latent_dim)
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(
            "latent_dim must be a positive integer, the length of the code. "
            f"Received: latent_dim={latent_dim!r}."
        )
    return size


@channels_last()
def vector_head(input_shape: tuple[int, ...]) -> list[keras.layers.Layer]:
    """Return the layers that turn samples of `input_shape` into vectors."""
    return [keras.layers.Flatten(name="flatten")] if len(input_shape) > 1 else []


def sample_tail(input_shape: tuple[int, ...]) -> list[keras.layers.Layer]:
    """Return the layers that turn vectors back into samples of `input_shape`."""
    if len(input_shape) == 1:
        return []
    return [keras.layers.Reshape(input_shape, name="reshape")]
