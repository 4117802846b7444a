"""Attacks as the command line names them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import keras

from ..attacks import Attack, MinMaxAttack
from ..criteria import Reconstruction
from ..mine import MINE, GaussianMI, L2Similarity


class AttackName(StrEnum):
    """Attacks on autoencoders, by their similarity."""

    NONE = "none"
    MINE = "mine"
    GAUSSIAN = "gaussian"
    L2 = "l2"
    CRITERION = "criterion"


def build_attack(
    model: keras.Model, name: AttackName, preset: str, norm: str, **settings: Any
) -> Attack | None:
    """The attack that options describe.

    Args:
        model: a built model that reconstructs its input.
        name: of the similarity; NONE for no attack.
        preset: a key of `uae_tf.attacks.PRESETS`.
        norm: of the criterion.
        **settings: further ones of `MinMaxAttack`; they override the preset's.
    """
    if name == AttackName.NONE:
        return None
    similarity = {
        AttackName.MINE: MINE,
        AttackName.GAUSSIAN: GaussianMI,
        AttackName.L2: L2Similarity,
        AttackName.CRITERION: lambda: None,
    }[name]()
    criterion = Reconstruction(model, norm=str(norm))
    return MinMaxAttack.from_preset(str(preset), criterion, similarity, **settings)
