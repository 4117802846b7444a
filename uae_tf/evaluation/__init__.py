"""Measures of models and of adversarial examples."""

from .reconstruction import (
    measure_examples,
    perturbation_sizes,
    reconstruction_errors,
)

__all__ = ["measure_examples", "perturbation_sizes", "reconstruction_errors"]
