"""Measures of models and of adversarial examples."""

from .reconstruction import perturbation_sizes, reconstruction_errors

__all__ = ["perturbation_sizes", "reconstruction_errors"]
