"""The concrete autoencoder: an autoencoder whose code is k of its inputs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .autoencoder import check_input_shape
from .concrete_select import ConcreteSelect, check_count
from .functional import freeze_layers, frozen_layers
from .scopes import default_dtype
from .self_target import SelfTarget

#: Mean largest probability from which a selection counts as made (SPEC 5.3).
CONVERGED = 0.998
_FIT = inspect.signature(keras.Model.fit)


@keras.saving.register_keras_serializable("uae_tf")
class ConcreteAutoencoder(SelfTarget, keras.Model):
    """Select the k features from which all others are reconstructed best.

    A `ConcreteSelect` layer in the place of the encoder, any network as decoder. `fit`
    cools the selection from the start to the end temperature, exponentially over its
    batches; `fit(x)` and `evaluate(x)` without a target reconstruct `x` itself. Samples
    of any shape are flattened inside and put back.

    Args:
        k: Number of features to select, >= 1.
        decoder: Keras layer or model from (batch, k) to a sample, flat or not. Defaults
            to None: `concrete_decoder`, the paper's.
        input_shape: Shape of one sample, such as (617,). Defaults to None: that of the
            first data the model sees.
        start_temperature: Before training. Defaults to 10 (SPEC 5.1).
        end_temperature: After it. Defaults to 0.1 (SPEC 5.1).
        embedding_dim: Of the indirect parameterisation, see `ConcreteSelect`. Defaults
            to None, the published one.
        seed: Seed of selection, noise and default decoder. Defaults to None: Keras's
            global seed.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Call arguments:
        inputs: (batch, *input_shape) numbers.
        training: bool; False is deterministic and looks at the selected features only.

    Returns:
        (batch, *input_shape).

    Attributes:
        select: the `ConcreteSelect` layer.
        decoder: what follows it.
        annealing_steps: Batches of a whole cooling, which goes on from wherever the
            temperature stands. Defaults to None: each call of `fit` cools over its own
            batches, and `train_on_batch` leaves the temperature alone. Set it where
            one training is several calls, or where `fit` cannot know the number of
            batches.

    Raises:
        ValueError: what `ConcreteSelect` refuses, or a decoder whose output does not
            fit a sample.

    Randomness:
        `seed` repeats weights, dropout and noise; the order of samples is that of
        `fit`, from Keras's global seed.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).random((64, 12)).astype("float32")
        >>> model = ConcreteAutoencoder(3, input_shape=(12,), seed=0)
        >>> model.compile("adam", "mse")
        >>> history = model.fit(x, epochs=2, verbose=0)
        >>> model.selected_features.shape, round(history.history["temperature"][-1], 3)
        ((3,), 0.1)

    Reference:
        Balin, Abid and Zou, ICML 2019; Hsu et al., AAAI 2022, section 4.5; SPEC 5.
    """

    def __init__(
        self,
        k: int,
        decoder: keras.layers.Layer | None = None,
        input_shape: int | Sequence[int] | None = None,
        start_temperature: float = 10.0,
        end_temperature: float = 0.1,
        embedding_dim: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.select = ConcreteSelect(
            k, start_temperature, end_temperature, embedding_dim, seed, name="select"
        )
        self.decoder = decoder
        # Batches of the cooling for the compiled step, 0 where there is none.
        self._num_steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._annealing_steps: int | None = None
        self.sample_shape: tuple[int, ...] | None = None
        self._has_default_decoder = decoder is None
        if input_shape is not None:
            self.build((None, *check_input_shape(input_shape)))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = check_input_shape([size or 0 for size in input_shape[1:]])
        size, k = math.prod(shape), self.select.k
        if k > size:
            raise ValueError(
                "k must not exceed the number of features. Received: "
                f"k={k} of {size} features."
            )
        if self.decoder is None:
            self.decoder = concrete_decoder(size, seed=self.select.seed)
        self.select.build((None, size))
        if not self.decoder.built:
            self.decoder.build((None, k))
        outputs = self.decoder.compute_output_shape((None, k))
        if math.prod(outputs[1:]) != size:
            raise ValueError(
                f"decoder must turn {k} features into samples of shape {shape}, that "
                f"is {size} values. Received one with outputs {tuple(outputs)}."
            )
        self.sample_shape = shape
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        flat = tf.reshape(inputs, (-1, math.prod(self.sample_shape)))
        selected = self.select(flat, training=training)
        outputs = self.decoder(selected, training=training)
        return tf.reshape(outputs, (-1, *self.sample_shape))

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *args: Any,
        tries: int = 1,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train as any Keras model, cooling the selection on the way.

        The log of every epoch has `temperature` and `confidence`, the mean over the k
        units of their largest probability, beside loss and metrics.

        Args:
            x: as in `keras.Model.fit`.
            y: targets. Defaults to None: `x` itself.
            *args: as in `keras.Model.fit`.
            tries: Number of runs at most. After a run whose confidence stays below
                0.998 all starts anew, from the same initial weights and with twice
                the epochs (SPEC 5.3). Defaults to 1, Keras's usual meaning of `fit`.
            **kwargs: as in `keras.Model.fit`.

        Returns:
            The history of the last run.

        Raises:
            ValueError: `tries` is no positive integer, the model is not compiled, or
                the number of batches is unknown.
        """
        tries = check_count("tries", tries)
        if not self.built:
            self.build((None, *_sample_shape(x)))
        settings = _FIT.bind(self, x, y, *args, **kwargs).arguments
        del settings["self"]
        if tries > 1:
            return self._fit_until_converged(tries, settings)
        callbacks = settings.pop("callbacks", None) or []
        if not isinstance(callbacks, list | tuple):
            callbacks = [callbacks]
        try:
            return super().fit(callbacks=[_Annealing(), *callbacks], **settings)
        finally:
            self._num_steps.assign(self.annealing_steps or 0)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        # Before the update, so that the last of a run sees the end temperature. Not by
        # the optimizer's count: it skips updates, and collects several batches for one.
        steps = self._num_steps
        tf.cond(steps > 0, lambda: self.select.anneal_by_step(steps), lambda: None)
        return super().train_step(data)

    @property
    def annealing_steps(self) -> int | None:
        """Batches the cooling is spread over; None for those of each `fit`."""
        return self._annealing_steps

    @annealing_steps.setter
    def annealing_steps(self, value: int | None) -> None:
        steps = None if value is None else check_count("annealing_steps", value)
        self._annealing_steps = steps
        self._num_steps.assign(steps or 0)

    @property
    def selected_features(self) -> np.ndarray:
        """The features chosen at inference, `(k,)` int64, by their flat position."""
        return self.select.selected_features

    @property
    def probabilities(self) -> np.ndarray:
        """Chance of each feature to be a unit's choice, `(k, d)`."""
        return self.select.probabilities

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, `annealing_steps` and what is frozen."""
        select = self.select.get_config()
        names = ("k", "start_temperature", "end_temperature", "embedding_dim", "seed")
        decoder = None if self._has_default_decoder else self.decoder
        return {
            **{name: select[name] for name in names},
            "decoder": keras.saving.serialize_keras_object(decoder),
            "input_shape": self.sample_shape and list(self.sample_shape),
            "annealing_steps": self.annealing_steps,
            "name": self.name,
            "trainable": self.trainable,
            # Of what the constructor makes anew, as of every `FunctionalModel`.
            "dtype": self.select.dtype_policy.name,
            "frozen_layers": frozen_layers(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConcreteAutoencoder:
        """Rebuild a model from `get_config`."""
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        arguments = {**config, "decoder": decoder}
        steps = arguments.pop("annealing_steps", None)
        frozen = arguments.pop("frozen_layers", None)
        # Older configs have neither.
        with default_dtype(keras.dtype_policies.get(arguments.pop("dtype", None))):
            model = cls(**arguments)
        model.annealing_steps = steps
        if frozen is not None:
            freeze_layers(model, frozen)
        return model

    def _fit_until_converged(
        self, tries: int, settings: dict[str, Any]
    ) -> keras.callbacks.History:
        if not self.compiled:
            raise ValueError("Call `compile` before `fit`.")
        # A loss-scaling optimizer would make its variables again.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        state = [*self.weights, *self.optimizer.variables]
        start = [variable.numpy() for variable in state]
        epochs = settings.pop("epochs", 1)
        while True:
            history = self.fit(epochs=epochs, **settings)
            tries, epochs = tries - 1, 2 * epochs
            if not tries or self.select.confidence >= CONVERGED:
                return history
            for variable, value in zip(state, start, strict=True):
                variable.assign(value)


class _Annealing(keras.callbacks.Callback):
    """Tells the model where a run begins and how many batches it has."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.is_new = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self.is_new:
            return
        self.is_new = False
        model, steps = self.model, self.params.get("steps")
        if model.annealing_steps is not None:
            return
        if steps is None:
            raise ValueError(
                "The number of batches is unknown, so the cooling has no end. Pass "
                "`steps_per_epoch` to `fit`, or set the model's `annealing_steps`."
            )
        # A run that goes on, by `initial_epoch` or BackupAndRestore, cools on.
        model.select.anneal(epoch / self.params["epochs"])
        model._num_steps.assign(self.params["epochs"] * steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["temperature"] = float(self.model.select.temperature.numpy())
            logs["confidence"] = self.model.select.confidence


def concrete_decoder(
    num_features: int,
    hidden_units: Sequence[int] = (320, 320),
    dropout: float = 0.1,
    seed: int | None = None,
) -> keras.Sequential:
    """Make the paper's decoder: dense layers with leaky ReLU and dropout, linear end.

    Args:
        num_features: Length of the output.
        hidden_units: Widths of the hidden layers; empty for a linear decoder. Defaults
            to the paper's (SPEC 3.10).
        dropout: Share of hidden units dropped in training, in [0, 1); 0.1 in the paper.
        seed: Seed of weights and dropout. Defaults to None: Keras's global seed.

    Returns:
        A Keras model, to be built by the selection in front of it.

    Example:
        >>> decoder = concrete_decoder(77, hidden_units=(16,))
        >>> decoder.compute_output_shape((None, 10))
        (None, 77)
    """

    def drawn(number: int) -> int | None:
        return None if seed is None else seed + number

    layers: list[keras.layers.Layer] = []
    for index, units in enumerate(hidden_units):
        layers += [
            _dense(units, drawn(10 + index)),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dropout(dropout, seed=drawn(50 + index)),
        ]
    layers.append(_dense(num_features, drawn(90)))
    return keras.Sequential(layers, name="decoder")


def _dense(units: int, seed: int | None) -> keras.layers.Layer:
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(units, kernel_initializer=initializer)


def _sample_shape(x: Any) -> tuple[int | None, ...]:
    """Shape of a sample of whatever `fit` takes."""
    if isinstance(x, tf.data.Dataset):
        x = x.element_spec
    elif isinstance(x, keras.utils.PyDataset):
        x = x[0]
    x = keras.utils.unpack_x_y_sample_weight(x)[0] if isinstance(x, tuple) else x
    if not hasattr(x, "shape"):
        raise ValueError(
            "The shape of a sample cannot be read off this data. Pass `input_shape` to "
            f"the model. Received: x of type {type(x).__name__}."
        )
    return tuple(x.shape[1:])
