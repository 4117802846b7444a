"""Losses and penalties."""

from .smoothness import (
    entropy,
    kl_divergence,
    local_distributional_smoothness,
    virtual_adversarial_perturbation,
)
from .sparsity import SparsityPenalty, kl_sparsity, l1_penalty

__all__ = [
    "SparsityPenalty",
    "entropy",
    "kl_divergence",
    "kl_sparsity",
    "l1_penalty",
    "local_distributional_smoothness",
    "virtual_adversarial_perturbation",
]
