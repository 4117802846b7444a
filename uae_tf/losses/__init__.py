"""Losses and penalties."""

from .sparsity import SparsityPenalty, kl_sparsity, l1_penalty

__all__ = ["SparsityPenalty", "kl_sparsity", "l1_penalty"]
