"""Keras models of the paper."""

from .adversarial import AdversarialAutoencoder
from .adversarial_generator import AdversarialExampleGenerator
from .autoencoder import Autoencoder
from .carlini_wagner import CarliniWagnerClassifier
from .classifier_recipes import (
    ClassifierRecipe,
    build_classifier,
    classifier_recipe,
)
from .concrete import ConcreteAutoencoder, concrete_decoder
from .concrete_select import ConcreteSelect
from .convolutional import ConvolutionalAutoencoder
from .convolutional_classifier import ConvolutionalClassifier
from .dense import DenseAutoencoder
from .dense_classifier import DenseClassifier
from .logits import check_logits
from .recipes import Recipe, build, recipe
from .sparse import SparseAutoencoder
from .strided_classifier import strided_classifier

__all__ = [
    "AdversarialAutoencoder",
    "AdversarialExampleGenerator",
    "Autoencoder",
    "CarliniWagnerClassifier",
    "ClassifierRecipe",
    "ConcreteAutoencoder",
    "ConcreteSelect",
    "ConvolutionalAutoencoder",
    "ConvolutionalClassifier",
    "DenseAutoencoder",
    "DenseClassifier",
    "Recipe",
    "SparseAutoencoder",
    "build",
    "build_classifier",
    "check_logits",
    "classifier_recipe",
    "concrete_decoder",
    "recipe",
    "strided_classifier",
]
