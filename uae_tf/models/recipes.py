"""The paper's training recipes, better ones, and the models built by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import Adadelta, Adam, RMSprop

from .adversarial import AdversarialAutoencoder
from .autoencoder import Autoencoder, check_input_shape
from .convolutional import ConvolutionalAutoencoder
from .dense import DenseAutoencoder
from .sparse import SparseAutoencoder


@dataclass(frozen=True)
class Recipe:
    """Say how to build and train a model, and what the paper reports for it.

    Args:
        model: Short name of the model, such as `"dense"`.
        name: `"paper"` or `"modern"`.
        optimizer: Makes a new optimizer.
        loss: Keras loss, to minimise.
        epochs: Number of epochs over the training split.
        batch_size: Samples a batch.
        source: Where the settings come from.
        paper_mse: The paper's per-pixel test error ("Original"), None if it has none.
        model_arguments: Constructor arguments that belong to the recipe.

    Example:
        >>> from uae_tf.models import recipe
        >>> settings = recipe("dense", "paper")
        >>> settings.epochs, settings.batch_size, type(settings.optimizer()).__name__
        (20, 100, 'RMSprop')
    """

    model: str
    name: str
    optimizer: Callable[[], keras.optimizers.Optimizer]
    loss: str
    epochs: int
    batch_size: int
    source: str
    paper_mse: float | None = None
    model_arguments: Mapping[str, Any] = field(default_factory=dict)

    def compile(self, model: Autoencoder) -> Autoencoder:
        """Compile `model` with this recipe's optimizer and loss, and return it.

        The per-pixel squared error comes along as the metric `mse`, whatever the
        loss: it is the number the paper compares.
        """
        # On a CPU, XLA trains the convolutional model 2.5 times slower.
        jit_compile: Any = "auto" if tf.config.list_physical_devices("GPU") else False
        model.compile(
            optimizer=self.optimizer(),
            loss=self.loss,
            metrics=[keras.metrics.MeanSquaredError(name="mse")],
            jit_compile=jit_compile,
        )
        # Or the first call makes its variables, and Keras traces the step twice. Not
        # where `compile` has: a loss-scaling optimizer would make them again.
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.recipe = self
        return model


MODELS: dict[str, type[Autoencoder]] = {
    "dense": DenseAutoencoder,
    "sparse": SparseAutoencoder,
    "conv": ConvolutionalAutoencoder,
    "adversarial": AdversarialAutoencoder,
}

# Keras 3 divides by sqrt(v + epsilon), the Keras of the published code by
# sqrt(v) + 1e-7; the default 1e-7 would damp small gradients a thousandfold.
_rmsprop = partial(RMSprop, 0.0025, epsilon=1e-14)
# The rate of stand-alone Keras; today's default is 0.001.
_adadelta = partial(Adadelta, 1.0)
_slow_adam, _adam, _fast_adam = (partial(Adam, rate) for rate in (1e-4, 1e-3, 3e-3))
_bce = "binary_crossentropy"

# MNIST and what resembles it. Columns: model, name, optimizer, loss, epochs, batch
# size, source, the paper's error, constructor arguments.
_GREY = (
    Recipe("dense", "paper", _rmsprop, "mse", 20, 100, "SPEC 3.3", 0.00258),
    Recipe("dense", "modern", _fast_adam, "mse", 20, 100, "docs/RESULTS.md"),
    Recipe("sparse", "paper", _adam, "mse", 50, 100, "SPEC 3.4", 0.00561),
    Recipe("sparse", "modern", _fast_adam, "mse", 50, 100, "docs/RESULTS.md"),
    Recipe("conv", "paper", _adadelta, _bce, 20, 100, "SPEC 3.5", 0.00294),
    # With "mse" this small net can end up painting every pixel black.
    Recipe("conv", "modern", _fast_adam, _bce, 20, 100, "docs/RESULTS.md"),
    Recipe(
        *("adversarial", "paper", _slow_adam, "mse", 50, 100, "SPEC 3.7", 0.04785),
        {"latent_dim": 2, "code_activation": "sigmoid"},
    ),
    Recipe(
        *("adversarial", "modern", _adam, "mse", 10, 100, "docs/RESULTS.md", None),
        {"latent_dim": 2, "code_activation": "linear"},
    ),
)
# SVHN: where its file was not published, the settings for MNIST stand in.
_COLOUR = (
    Recipe(
        *("dense", "paper", _rmsprop, "mse", 20, 100, "SPEC 1.14, 3.3", 0.00659),
        {"latent_dim": 256},
    ),
    Recipe(
        *("dense", "modern", _fast_adam, "mse", 20, 100, "as for MNIST", None),
        {"latent_dim": 256},
    ),
    Recipe(
        *("sparse", "paper", _adam, "mse", 50, 100, "SPEC 1.14, 3.4", 0.00887),
        {"latent_dim": 256, "kl_weight": 1.0},
    ),
    Recipe(
        *("sparse", "modern", _fast_adam, "mse", 50, 100, "as for MNIST", None),
        {"latent_dim": 256, "kl_weight": 1.0},
    ),
    Recipe("conv", "paper", _adam, _bce, 100, 32, "SPEC 3.6", 0.00128),
    Recipe("conv", "modern", _fast_adam, _bce, 100, 32, "as for MNIST"),
    # The published latent size is unknown; 2 cannot give an error this small.
    Recipe(
        *("adversarial", "paper", _slow_adam, "mse", 50, 100, "SPEC 3.7", 0.00173),
        {"latent_dim": 256, "code_activation": "sigmoid"},
    ),
    Recipe(
        *("adversarial", "modern", _adam, "mse", 10, 100, "as for MNIST", None),
        {"latent_dim": 256, "code_activation": "linear"},
    ),
)


def recipe(
    model: str | type[Autoencoder] | Autoencoder,
    name: str = "paper",
    input_shape: int | Sequence[int] | None = None,
) -> Recipe:
    """Look up how a model is trained.

    Args:
        model: Short name (`"dense"`, `"sparse"`, `"conv"`, `"adversarial"`), class
            name, class, or a model.
        name: `"paper"` for the published settings, `"modern"` for better ones found
            on a validation split of MNIST. Defaults to `"paper"`.
        input_shape: Shape of one sample. Three channels give the recipe for SVHN,
            all else the one for MNIST. Defaults to the model's own, else MNIST.

    Returns:
        The `Recipe`.

    Raises:
        ValueError: Unknown `model` or `name`.

    Example:
        >>> recipe("conv").loss, recipe("conv", input_shape=(32, 32, 3)).batch_size
        ('binary_crossentropy', 32)
    """
    kind = _kind(model)
    if name not in ("paper", "modern"):
        raise ValueError(
            f"A recipe is called 'paper' or 'modern'. Received: name={name!r}."
        )
    own_shape = getattr(model, "sample_shape", (28, 28, 1))
    shape = check_input_shape(own_shape if input_shape is None else input_shape)
    table = _COLOUR if len(shape) == 3 and shape[-1] == 3 else _GREY
    return next(row for row in table if (row.model, row.name) == (kind, name))


def build(
    model: str | type[Autoencoder],
    input_shape: int | Sequence[int],
    recipe: str = "paper",
    **arguments: Any,
) -> Autoencoder:
    """Build a model and compile it by its recipe.

    Args:
        model: Short name (`"dense"`, `"sparse"`, `"conv"`, `"adversarial"`), class
            name, or class.
        input_shape: Shape of one sample, without the batch axis.
        recipe: `"paper"` or `"modern"`. Defaults to `"paper"`.
        **arguments: Constructor arguments of the model, over those of the recipe.

    Returns:
        The compiled model. Its `recipe` holds the number of epochs and batch size.

    Raises:
        ValueError: Unknown `model` or `recipe`, or what the constructor refuses.

    Randomness:
        Initial weights from Keras's global seed (`keras.utils.set_random_seed`).

    Example:
        >>> import numpy as np
        >>> model = build("dense", (8, 8, 1), recipe="modern", latent_dim=8)
        >>> x = np.zeros((4, 8, 8, 1), "float32")
        >>> history = model.fit(x, batch_size=model.recipe.batch_size, verbose=0)
        >>> sorted(history.history)
        ['loss', 'mse']
    """
    settings = _find(model, recipe, input_shape)
    arguments = {**settings.model_arguments, **arguments}
    shape = check_input_shape(input_shape)
    return settings.compile(MODELS[settings.model](shape, **arguments))


# `build` has an argument of that name.
_find = recipe


def _kind(model: str | type[Autoencoder] | Autoencoder) -> str:
    for kind, cls in MODELS.items():
        if model in (kind, cls.__name__, cls) or isinstance(model, cls):
            return kind
    raise ValueError(
        f"Unknown model. Received: {model!r}. Expected one of "
        f"{', '.join(map(repr, MODELS))}, or one of the classes "
        f"{', '.join(cls.__name__ for cls in MODELS.values())}."
    )
