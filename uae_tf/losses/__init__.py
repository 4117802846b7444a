"""Losses and penalties."""

from ..backend import ON_TENSORFLOW, missing_names
from .nt_xent import NTXent, nt_xent_logits, nt_xent_per_sample

if ON_TENSORFLOW:
    from .smoothness import (
        entropy,
        kl_divergence,
        local_distributional_smoothness,
        virtual_adversarial_perturbation,
    )
    from .sparsity import SparsityPenalty, kl_sparsity, l1_penalty

__all__ = [
    "NTXent",
    "SparsityPenalty",
    "entropy",
    "kl_divergence",
    "kl_sparsity",
    "l1_penalty",
    "local_distributional_smoothness",
    "nt_xent_logits",
    "nt_xent_per_sample",
    "virtual_adversarial_perturbation",
]

__getattr__ = missing_names(__name__, __all__)
