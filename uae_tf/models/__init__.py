"""Keras models of the paper."""

from .adversarial import AdversarialAutoencoder
from .autoencoder import Autoencoder
from .convolutional import ConvolutionalAutoencoder
from .dense import DenseAutoencoder
from .recipes import Recipe, build, recipe
from .sparse import SparseAutoencoder

__all__ = [
    "AdversarialAutoencoder",
    "Autoencoder",
    "ConvolutionalAutoencoder",
    "DenseAutoencoder",
    "Recipe",
    "SparseAutoencoder",
    "build",
    "recipe",
]
