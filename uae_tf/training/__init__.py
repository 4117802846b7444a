"""Training on augmented data."""

from .augmented_dataset import AugmentedDataset
from .retrain import Retrained, retrain

__all__ = ["AugmentedDataset", "Retrained", "retrain"]
