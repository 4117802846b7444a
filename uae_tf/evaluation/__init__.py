"""Measures of models and of adversarial examples."""

from .classification import error_rate, label_agreement
from .reconstruction import (
    measure_examples,
    perturbation_sizes,
    reconstruction_errors,
)

__all__ = [
    "error_rate",
    "label_agreement",
    "measure_examples",
    "perturbation_sizes",
    "reconstruction_errors",
]
