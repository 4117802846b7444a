"""Data sets as arrays in [0, 1]."""

from .dataset import Dataset
from .file_sets import prepare
from .registry import load, names

__all__ = ["Dataset", "load", "names", "prepare"]
