"""Keras models of the paper."""

from ..backend import ON_TENSORFLOW, missing_names
from .autoencoder import Autoencoder
from .carlini_wagner import CarliniWagnerClassifier
from .convolutional import ConvolutionalAutoencoder
from .convolutional_classifier import ConvolutionalClassifier
from .dense import DenseAutoencoder
from .dense_classifier import DenseClassifier
from .logits import check_logits
from .resnet import ResNet18
from .simclr import SimCLR, projection_head
from .simclr_augment import SimCLRAugment
from .strided_classifier import strided_classifier
from .weight_parts import load_weight_parts, save_weight_parts

if ON_TENSORFLOW:
    from .adversarial import AdversarialAutoencoder
    from .adversarial_generator import AdversarialExampleGenerator
    from .classifier_recipes import (
        ClassifierRecipe,
        build_classifier,
        classifier_recipe,
    )
    from .concrete import ConcreteAutoencoder, concrete_decoder
    from .concrete_select import ConcreteSelect
    from .recipes import Recipe, build, recipe
    from .sparse import SparseAutoencoder

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
    "ResNet18",
    "SimCLR",
    "SimCLRAugment",
    "SparseAutoencoder",
    "build",
    "build_classifier",
    "check_logits",
    "classifier_recipe",
    "concrete_decoder",
    "load_weight_parts",
    "projection_head",
    "recipe",
    "save_weight_parts",
    "strided_classifier",
]

__getattr__ = missing_names(__name__, __all__)
