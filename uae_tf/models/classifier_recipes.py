"""How the classifiers of the supervised experiments are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers import SGD, Adam

from .carlini_wagner import CarliniWagnerClassifier


@dataclass(frozen=True)
class ClassifierRecipe:
    """Say how to build and train the classifier of a data set.

    Args:
        dataset: Name of the data set.
        name: `"paper"` or `"modern"`.
        input_shape: Shape of one image.
        optimizer: Makes a new optimizer.
        epochs: Number of epochs over the training split.
        batch_size: Samples a batch.
        source: Where the settings come from.
        model_arguments: Further constructor arguments of the classifier.

    Example:
        >>> from uae_tf.models import classifier_recipe
        >>> settings = classifier_recipe("cifar10")
        >>> settings.epochs, settings.model_arguments["filters"]
        (50, (64, 128))
    """

    dataset: str
    name: str
    input_shape: tuple[int, ...]
    optimizer: Callable[[], keras.optimizers.Optimizer]
    epochs: int
    batch_size: int
    source: str
    model_arguments: Mapping[str, Any] = field(default_factory=dict)

    def compile(self, model: keras.Model) -> keras.Model:
        """Compile `model` by this recipe, for integer labels, and return it."""
        # On a CPU, XLA trains convolutions slower.
        jit_compile: Any = "auto" if tf.config.list_physical_devices("GPU") else False
        model.compile(
            optimizer=self.optimizer(),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=jit_compile,
        )
        # Or the first call makes its variables, and Keras traces the step twice.
        model.optimizer.build(model.trainable_variables)
        return model


def _published_sgd() -> keras.optimizers.Optimizer:
    # The `decay` of the old Keras: rate / (1 + 1e-6 * updates).
    rate = keras.optimizers.schedules.InverseTimeDecay(0.01, 1, 1e-6)
    return SGD(rate, momentum=0.9, nesterov=True)


_GREY, _COLOUR = (28, 28, 1), (32, 32, 3)
_adam = partial(Adam, 1e-3)
_CIFAR = {"filters": (64, 128), "units": 256}
# Sized for two processor cores: a few minutes each, on the whole training split.
_SMALL_CIFAR = {"filters": (32, 64), "units": 64, "dropout": 0.2}
_DIGITS = {"filters": (16, 32), "units": 64, "dropout": 0.2, "padding": "same"}
_OWN = "not tuned"

# Columns: data set, name, shape, optimizer, epochs, batch size, source, arguments.
_RECIPES = (
    ClassifierRecipe("mnist", "paper", _GREY, _published_sgd, 50, 128, "SPEC 3.9"),
    ClassifierRecipe("mnist", "modern", _GREY, _adam, 3, 128, _OWN),
    ClassifierRecipe(
        *("fashion_mnist", "paper", _GREY, _published_sgd, 50, 128, "as for MNIST")
    ),
    ClassifierRecipe("fashion_mnist", "modern", _GREY, _adam, 5, 128, _OWN),
    ClassifierRecipe(
        *("cifar10", "paper", _COLOUR, _published_sgd, 50, 128, "SPEC 3.9", _CIFAR)
    ),
    ClassifierRecipe(
        *("cifar10", "modern", _COLOUR, _adam, 4, 128, _OWN, _SMALL_CIFAR)
    ),
    ClassifierRecipe("digits", "modern", (8, 8, 1), _adam, 30, 64, _OWN, _DIGITS),
)
DATASETS = tuple(dict.fromkeys(recipe.dataset for recipe in _RECIPES))


def classifier_recipe(dataset: str, name: str = "paper") -> ClassifierRecipe:
    """Look up how the classifier of a data set is trained.

    Args:
        dataset: `"mnist"`, `"fashion_mnist"`, `"cifar10"` or `"digits"`.
        name: `"paper"` for the published settings, `"modern"` for minutes on two
            processor cores; `"digits"` has these alone. Defaults to `"paper"`.

    Returns:
        The `ClassifierRecipe`.

    Raises:
        ValueError: There is none.
    """
    for recipe in _RECIPES:
        if (recipe.dataset, recipe.name) == (dataset, name):
            return recipe
    known = ", ".join(f"{recipe.dataset} ({recipe.name})" for recipe in _RECIPES)
    raise ValueError(
        f"No classifier recipe for dataset={dataset!r}, name={name!r}. Expected one "
        f"of: {known}."
    )


def build_classifier(
    dataset: str, recipe: str = "paper", **arguments: Any
) -> keras.Model:
    """Build the classifier of a data set and compile it by its recipe.

    Args:
        dataset: `"mnist"`, `"fashion_mnist"`, `"cifar10"` or `"digits"`.
        recipe: `"paper"` or `"modern"`. Defaults to `"paper"`.
        **arguments: Constructor arguments of `CarliniWagnerClassifier`, over those of
            the recipe.

    Returns:
        The compiled model; train it for `classifier_recipe(dataset, recipe).epochs`.

    Raises:
        ValueError: There is no such recipe, or what the constructor refuses.

    Randomness:
        Initial weights from Keras's global seed (`keras.utils.set_random_seed`).

    Example:
        >>> import numpy as np
        >>> model = build_classifier("digits", "modern")
        >>> x, y = np.zeros((4, 8, 8, 1), "float32"), np.arange(4)
        >>> sorted(model.fit(x, y, verbose=0).history)
        ['accuracy', 'loss']
    """
    settings = classifier_recipe(dataset, recipe)
    arguments = {**settings.model_arguments, **arguments}
    return settings.compile(CarliniWagnerClassifier(settings.input_shape, **arguments))
