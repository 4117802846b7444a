"""Contrastive learning with UAEs: the paper's third experiment."""

from .experiment import contrast
from .settings import ContrastSettings

__all__ = ["ContrastSettings", "contrast"]
