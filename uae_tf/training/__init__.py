"""Training on augmented data."""

from .augmented_dataset import AugmentedDataset
from .phases import PhaseRecord
from .retrain import Retrained, retrain
from .uae_callback import UAECallback

__all__ = ["AugmentedDataset", "PhaseRecord", "Retrained", "UAECallback", "retrain"]
