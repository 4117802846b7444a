"""Unsupervised adversarial examples for Keras.

Attack a model that has no labels, augment its data with what the attack finds, and
measure against honest controls whether that helps. Start with ``uae-tf reconstruct``,
or with ``uae_tf.attack(model, x)``.
"""

from typing import TYPE_CHECKING, Any

from . import losses, models, optimizers
from .backend import ON_TENSORFLOW, missing_names

if ON_TENSORFLOW:
    from . import datasets, generation
    from .attacks import (
        AttackResult,
        GaussianNoise,
        MatchedNoise,
        MinMaxAttack,
        PenaltyAttack,
        PGDAttack,
        UniformNoise,
        VirtualAdversarialPerturbation,
        attack,
    )
    from .criteria import (
        Contrastive,
        Criterion,
        Divergence,
        Reconstruction,
        TargetedMargin,
        UntargetedMargin,
    )
    from .mine import MINE, GaussianMI, L2Similarity, Similarity
    from .serving import export
    from .training import (
        CLAE,
        AdversarialGeneratorTraining,
        AugmentedDataset,
        ConsistencyTraining,
        SemiSupervisedDataset,
        UAECallback,
        VirtualAdversarialTraining,
        retrain,
    )

if TYPE_CHECKING:
    from .experiments.own_model import compare
    from .training.feature_selector import ConcreteFeatureSelector

__version__ = "0.1.0"

__all__ = [
    "CLAE",
    "MINE",
    "AdversarialGeneratorTraining",
    "AttackResult",
    "AugmentedDataset",
    "ConcreteFeatureSelector",
    "ConsistencyTraining",
    "Contrastive",
    "Criterion",
    "Divergence",
    "GaussianMI",
    "GaussianNoise",
    "L2Similarity",
    "MatchedNoise",
    "MinMaxAttack",
    "PGDAttack",
    "PenaltyAttack",
    "Reconstruction",
    "SemiSupervisedDataset",
    "Similarity",
    "TargetedMargin",
    "UAECallback",
    "UniformNoise",
    "UntargetedMargin",
    "VirtualAdversarialPerturbation",
    "VirtualAdversarialTraining",
    "attack",
    "compare",
    "datasets",
    "export",
    "generation",
    "losses",
    "models",
    "optimizers",
    "retrain",
]


_missing = missing_names(__name__, __all__)


def __getattr__(name: str) -> Any:
    # Not above: scikit-learn's selectors and the report take half a second to import.
    if name == "compare":
        from .experiments.own_model import compare

        return compare
    if name == "ConcreteFeatureSelector":
        from .training.feature_selector import ConcreteFeatureSelector

        return ConcreteFeatureSelector
    return _missing(name)
