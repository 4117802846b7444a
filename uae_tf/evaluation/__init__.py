"""Measures of models and of adversarial examples."""

from .classification import error_rate, label_agreement
from .distributions import KernelDistance, frechet_distance, kernel_distance
from .features import FeatureExtractor
from .likeness import CriticInformation, structural_similarity
from .reconstruction import (
    measure_examples,
    perturbation_sizes,
    reconstruction_errors,
)

__all__ = [
    "CriticInformation",
    "FeatureExtractor",
    "KernelDistance",
    "error_rate",
    "frechet_distance",
    "kernel_distance",
    "label_agreement",
    "measure_examples",
    "perturbation_sizes",
    "reconstruction_errors",
    "structural_similarity",
]
