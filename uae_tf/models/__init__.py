"""Keras models of the paper."""

from .adversarial import AdversarialAutoencoder
from .autoencoder import Autoencoder
from .concrete import ConcreteAutoencoder, concrete_decoder
from .concrete_select import ConcreteSelect
from .convolutional import ConvolutionalAutoencoder
from .dense import DenseAutoencoder
from .recipes import Recipe, build, recipe
from .sparse import SparseAutoencoder

__all__ = [
    "AdversarialAutoencoder",
    "Autoencoder",
    "ConcreteAutoencoder",
    "ConcreteSelect",
    "ConvolutionalAutoencoder",
    "DenseAutoencoder",
    "Recipe",
    "SparseAutoencoder",
    "build",
    "concrete_decoder",
    "recipe",
]
