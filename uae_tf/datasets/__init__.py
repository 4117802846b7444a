"""Data sets as arrays."""

from .dataset import Dataset
from .file_sets import prepare
from .preprocessing import ZCAWhitening
from .registry import is_at_hand, load, names
from .semi_supervised import SemiSupervisedSplit, semi_supervised_split

__all__ = [
    "Dataset",
    "SemiSupervisedSplit",
    "ZCAWhitening",
    "is_at_hand",
    "load",
    "names",
    "prepare",
    "semi_supervised_split",
]
