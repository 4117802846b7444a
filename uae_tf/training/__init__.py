"""Training on augmented data, and on few labels."""

from .adversarial_generator import AdversarialGeneratorTraining
from .augmented_dataset import AugmentedDataset
from .clae import CLAE
from .consistency import ConsistencyTraining
from .phases import PhaseRecord
from .retrain import Retrained, retrain
from .semi_supervised_dataset import SemiSupervisedDataset
from .uae_callback import UAECallback
from .virtual_adversarial import VirtualAdversarialTraining

__all__ = [
    "CLAE",
    "AdversarialGeneratorTraining",
    "AugmentedDataset",
    "ConsistencyTraining",
    "PhaseRecord",
    "Retrained",
    "SemiSupervisedDataset",
    "UAECallback",
    "VirtualAdversarialTraining",
    "retrain",
]
