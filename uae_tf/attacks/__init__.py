"""Attacks: from samples to adversarial examples."""

from .attack import Attack
from .minmax import PRESETS, MinMaxAttack
from .noise import GaussianNoise, MatchedNoise, UniformNoise
from .one_line import attack
from .penalty import PenaltyAttack
from .pgd import PGDAttack
from .result import AttackResult
from .virtual_adversarial import VirtualAdversarialPerturbation

__all__ = [
    "PRESETS",
    "Attack",
    "AttackResult",
    "GaussianNoise",
    "MatchedNoise",
    "MinMaxAttack",
    "PGDAttack",
    "PenaltyAttack",
    "UniformNoise",
    "VirtualAdversarialPerturbation",
    "attack",
]
