"""Supervised attacks: MinMax against penalty and PGD, picture quality, robustness."""

from .experiment import supervised
from .settings import SupervisedSettings

__all__ = ["SupervisedSettings", "supervised"]
