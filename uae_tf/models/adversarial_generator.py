"""The network that generates adversarial examples from a latent code and noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from .autoencoder import check_input_shape, sample_tail, vector_head
from .bounded_change import UNET_HALVINGS, BoundedChange, dense_basis, unet_basis
from .layers import chain, check_units
from .scopes import channels_last

#: Updates per compiled call of `pretrain` at most: beyond it nothing is gained.
_MOST_STEPS = 25
#: Stride-2 convolutions on the way to the code of `convolutional`.
_HALVINGS = 3


@keras.saving.register_keras_serializable("uae_tf")
class AdversarialExampleGenerator(keras.Model):
    """Map a sample and a noise vector to an example: `G(x, z) = D(E(x), z)`.

    The encoder E gives a code, which the decoder D takes together with z. The change
    happens in the code, so it need not be pixel-wise. Trained against a classifier by
    `uae_tf.AdversarialGeneratorTraining`; by itself, with `fit(x, x)`, it is an
    autoencoder that ignores its noise, which is how its training begins.

    Use `dense` or `convolutional` for the slides' networks, `bounded_dense` or
    `bounded_unet` for changes of VAT's length, or hand over your own.

    Args:
        encoder: Built model from samples to codes of any shape.
        decoder: Built model from `[code, z]` to samples.
        seed: Seed of the noise that a call draws. Defaults to None: from Keras's
            global seed.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *shape) samples; or `[samples, z]` with z (batch, noise_dim).
        training: bool.

    Returns:
        (batch, *shape) examples. Noise that is not given is drawn from N(0, I).

    Raises:
        ValueError: A model is not built, the decoder does not take `[code, z]`, or
            its output does not have the shape of the encoder's input.

    Randomness:
        Initial weights from Keras's global seed; noise from `seed`.

    Example:
        >>> generator = AdversarialExampleGenerator.dense((2,), noise_dim=4)
        >>> generator(tf.zeros((3, 2))).shape
        TensorShape([3, 2])

    Reference:
        Ma et al., WISE 2019, slides "Latent Space based Adversarial Example
        Generation". Where z enters and all layers are ours (SPEC 7.2.4, 7.2.7).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.noise_dim = _check_parts(encoder, decoder)
        self.encoder = encoder
        self.decoder = decoder
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    @classmethod
    def dense(
        cls,
        input_shape: int | Sequence[int],
        hidden_units: Sequence[int] = (50,),
        code_dim: int = 16,
        noise_dim: int = 4,
        output_activation: str = "linear",
        seed: int | None = None,
    ) -> AdversarialExampleGenerator:
        """Make a generator of dense ReLU layers.

        Args:
            input_shape: Shape of one sample.
            hidden_units: Widths from the sample to the code, mirrored in the decoder.
                Defaults to (50,), for the circles.
            code_dim: Length of the code. Defaults to 16.
            noise_dim: Length of z, joined to the code. Defaults to 4.
            output_activation: `"linear"`, or `"sigmoid"` for samples in [0, 1].
            seed: As in the class.
        """
        shape = check_input_shape(input_shape)
        units = check_units("hidden_units", hidden_units)
        (code_units,) = check_units("code_dim", (code_dim,))
        size = math.prod(shape)
        dense = keras.layers.Dense
        x = keras.Input(shape=shape, name="x")
        encoder = [
            *vector_head(shape),
            *map(_relu, units),
            dense(code_units, name="code"),
        ]
        code, z = _decoder_inputs((code_units,), noise_dim)
        decoder = [
            keras.layers.Concatenate(name="code_and_noise"),
            *map(_relu, reversed(units)),
            dense(size, activation=output_activation, name="values"),
            *sample_tail(shape),
        ]
        return cls(
            keras.Model(x, chain(encoder, x), name="encoder"),
            keras.Model([code, z], chain(decoder, [code, z]), name="decoder"),
            seed,
        )

    @classmethod
    def bounded_dense(
        cls,
        input_shape: int | Sequence[int],
        epsilon: float,
        hidden_units: Sequence[int] = (512, 128),
        noise_dim: int = 16,
        seed: int | None = None,
    ) -> AdversarialExampleGenerator:
        """Make a generator of changes of length epsilon, of dense layers.

        `G(x, z) = x + epsilon * Q(x) z / ||Q(x) z||`: dense layers make of a sample as
        many orthogonal directions as z has numbers, and z mixes them. Examples are as
        sharp as samples and need no training as an autoencoder. What is learnt is all
        in the decoder: train with `roles="joint"` and `stop_gradient=True`. Ours.

        Args:
            input_shape: Shape of one sample.
            epsilon: L2 length of the change, in units of the samples; what there is to
                choose, as in VAT.
            hidden_units: Widths of the hidden layers, leaky ReLU (0.2). Defaults to
                (512, 128), for 28 x 28 images.
            noise_dim: Directions per sample. Defaults to 16.
            seed: As in the class.
        """
        shape = check_input_shape(input_shape)
        units = check_units("hidden_units", hidden_units)
        return cls._bounded(
            shape, epsilon, lambda x: dense_basis(x, units, noise_dim), noise_dim, seed
        )

    @classmethod
    def bounded_unet(
        cls,
        input_shape: Sequence[int],
        epsilon: float,
        width: int = 16,
        noise_dim: int = 16,
        seed: int | None = None,
    ) -> AdversarialExampleGenerator:
        """Make a generator of changes of length epsilon, of a U-Net.

        As `bounded_dense`, with directions from two halvings and back, each level
        joined to its mirror image.

        Args:
            input_shape: (height, width, channels), sides divisible by 4.
            epsilon: As in `bounded_dense`.
            width: Filters of the first level, doubled by each halving. Defaults to 16.
            noise_dim: As in `bounded_dense`.
            seed: As in the class.
        """
        shape = _check_sides(input_shape, UNET_HALVINGS)
        (filters,) = check_units("width", (width,))
        return cls._bounded(
            shape, epsilon, lambda x: unet_basis(x, filters, noise_dim), noise_dim, seed
        )

    @classmethod
    def convolutional(
        cls,
        input_shape: Sequence[int],
        width: int = 64,
        noise_dim: int = 64,
        output_activation: str = "sigmoid",
        seed: int | None = None,
    ) -> AdversarialExampleGenerator:
        """Make a generator of stride-2 convolutions.

        Three convolutions of `width`, twice and four times as many filters lead to a
        map of an eighth of the sides, to which z is joined after a dense layer; three
        transposed convolutions lead back. Batch normalisation and leaky ReLU (0.1).

        Args:
            input_shape: (height, width, channels), sides divisible by 8.
            width: Filters of the first convolution. Defaults to 64.
            noise_dim: Length of z. Defaults to 64.
            output_activation: Defaults to `"sigmoid"`, for images in [0, 1].
            seed: As in the class.
        """
        shape = _check_sides(input_shape, _HALVINGS)
        (filters,) = check_units("width", (width,))
        x = keras.Input(shape=shape, name="x")
        encoder = chain(_down(filters), x)
        code, z = _decoder_inputs(encoder.shape[1:], noise_dim)
        height, side, channels = code.shape[1:]
        maps = chain(
            [
                keras.layers.Dense(height * side * channels, name="noise"),
                keras.layers.Reshape((height, side, channels), name="noise_maps"),
            ],
            z,
        )
        joined = keras.layers.Concatenate(name="code_and_noise")([code, maps])
        image = chain(_up(filters, shape[-1], output_activation), joined)
        return cls(
            keras.Model(x, encoder, name="encoder"),
            keras.Model([code, z], image, name="decoder"),
            seed,
        )

    @classmethod
    @channels_last()
    def _bounded(
        cls,
        shape: tuple[int, ...],
        epsilon: float,
        basis: Callable[[Any], Any],
        noise_dim: int,
        seed: int | None,
    ) -> AdversarialExampleGenerator:
        x = keras.Input(shape=shape, name="x")
        # Both lengths and directions come from the sample itself, so it is the code.
        encoder = keras.Model(x, keras.layers.Identity(name="code")(x), name="encoder")
        code, z = _decoder_inputs(shape, noise_dim)
        changed = BoundedChange(epsilon, name="change")([code, basis(code), z])
        decoder = keras.Model([code, z], changed, name="decoder")
        return cls(encoder, decoder, seed)

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        x, z = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        if z is None:
            shape = (tf.shape(x)[0], self.noise_dim)
            z = keras.random.normal(shape, seed=self.seed_generator)
        return self.decoder([self.encoder(x, training=training), z], training=training)

    def pretrain(
        self,
        x: Any,
        epochs: int = 5,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        **settings: Any,
    ) -> keras.callbacks.History:
        """Train as an autoencoder that ignores its noise, by Adam on squared error.

        Args:
            x: (N, *shape) samples.
            epochs: Passes over them. Defaults to 5.
            batch_size: Samples a batch. Defaults to 128.
            learning_rate: Of Adam. Defaults to 1e-3.
            **settings: Further arguments of `fit`.
        """
        optimizer = keras.optimizers.Adam(learning_rate)
        # XLA is slower on CPUs for networks this small, and so is a call per update.
        self.compile(
            optimizer,
            "mse",
            jit_compile=False,
            steps_per_execution=min(_MOST_STEPS, -(-len(x) // batch_size)),
        )
        # Or Keras traces the first step twice.
        optimizer.build(self.trainable_variables)
        return self.fit(x, x, batch_size=batch_size, epochs=epochs, **settings)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        serialize = keras.saving.serialize_keras_object
        return {
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialExampleGenerator:
        """Return a generator with the settings of `get_config`."""
        deserialize = keras.saving.deserialize_keras_object
        parts = {name: deserialize(config[name]) for name in ("encoder", "decoder")}
        return cls(**{**config, **parts})


def _check_parts(encoder: keras.Model, decoder: keras.Model) -> int:
    """Return the length of the noise."""
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        if not (isinstance(part, keras.Model) and part.built):
            raise ValueError(f"{name} must be a built Keras model. Received: {part!r}.")
    taken = decoder.input_shape
    code = encoder.output_shape
    if not (isinstance(taken, list) and len(taken) == 2 and tuple(taken[0]) == code):
        raise ValueError(
            f"decoder must take [code, z], with codes of shape {code} as the encoder "
            f"gives them. Received: a decoder of inputs {taken}."
        )
    if decoder.output_shape != encoder.input_shape:
        raise ValueError(
            "The decoder's output must have the shape of the encoder's input, "
            f"{encoder.input_shape}. Received: {decoder.output_shape}."
        )
    return taken[1][-1]


def _decoder_inputs(code_shape: tuple[int, ...], noise_dim: int) -> tuple[Any, Any]:
    (size,) = check_units("noise_dim", (noise_dim,))
    return keras.Input(shape=code_shape, name="code"), keras.Input((size,), name="z")


def _check_sides(input_shape: Sequence[int], halvings: int) -> tuple[int, ...]:
    shape = check_input_shape(input_shape)
    factor = 2**halvings
    if len(shape) != 3 or shape[0] % factor or shape[1] % factor:
        raise ValueError(
            "input_shape must be (height, width, channels) with sides divisible by "
            f"{factor}: each of {halvings} convolutions halves them. "
            f"Received: {shape}."
        )
    return shape


def _relu(width: int) -> keras.layers.Layer:
    return keras.layers.Dense(width, activation="relu")


@channels_last()
def _down(filters: int) -> list[keras.layers.Layer]:
    layers = []
    for number in range(_HALVINGS):
        layers += [
            keras.layers.Conv2D(
                filters * 2**number, 4, 2, "same", name=f"down{number + 1}"
            ),
            keras.layers.BatchNormalization(name=f"down{number + 1}_norm"),
            keras.layers.LeakyReLU(0.1, name=f"down{number + 1}_relu"),
        ]
    return layers


@channels_last()
def _up(filters: int, channels: int, activation: str) -> list[keras.layers.Layer]:
    layers = []
    for number in reversed(range(_HALVINGS - 1)):
        name = f"up{_HALVINGS - 1 - number}"
        layers += [
            keras.layers.Conv2DTranspose(filters * 2**number, 4, 2, "same", name=name),
            keras.layers.BatchNormalization(name=f"{name}_norm"),
            keras.layers.LeakyReLU(0.1, name=f"{name}_relu"),
        ]
    last = keras.layers.Conv2DTranspose(
        channels, 4, 2, "same", activation=activation, name="pixels"
    )
    return [*layers, last]
