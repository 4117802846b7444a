"""Data sets as arrays in [0, 1]."""

from .dataset import Dataset
from .registry import load, names

__all__ = ["Dataset", "load", "names"]
