"""Settings of the feature selection experiment, and its recipes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from .settings import ARMS, ExperimentSettings


@dataclasses.dataclass(frozen=True)
class SelectionRecipe:
    """How a concrete autoencoder is trained on a data set.

    Args:
        features: K, how many are selected.
        epochs: passes over the augmented data, twice the samples.
        batch_size: samples an update.
        learning_rate: of Adam at the start; it falls to 0 along a half cosine.
        embedding_dim: of the indirect parameterisation.
        dropout: of the decoder.
    """

    features: int = 50
    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 3e-3
    embedding_dim: int = 64
    dropout: float = 0.1


# Chosen on a tenth of the training samples; docs/RESULTS.md tells what was tried.
RECIPES: dict[str, SelectionRecipe] = {
    "mice_protein": SelectionRecipe(features=10, epochs=200, embedding_dim=32),
    "isolet": SelectionRecipe(epochs=50, batch_size=128, dropout=0.0),
    "coil20": SelectionRecipe(epochs=100),
    "activity": SelectionRecipe(epochs=50, batch_size=128, dropout=0.0),
    "mnist": SelectionRecipe(epochs=20, batch_size=256, dropout=0.0),
    "fashion_mnist": SelectionRecipe(epochs=20, batch_size=256, dropout=0.0),
    "digits": SelectionRecipe(features=10, epochs=40, embedding_dim=32),
}

# Table 6 of the paper (SPEC 5.11): error, accuracy and success rate of "Original" and
# MINE-UAE.
PAPER: dict[str, tuple[tuple[float, float], tuple[float, float, float]]] = {
    "mnist": ((0.01170, 0.9497), (0.01142, 0.9541, 0.9998)),
    "fashion_mnist": ((0.01307, 0.8492), (0.01254, 0.8524, 0.9999)),
    "isolet": ((0.01200, 0.8198), (0.01159, 0.8293, 1.0)),
    "coil20": ((0.00693, 0.9896), (0.01374, 0.9688, 0.0921)),
    "mice_protein": ((0.00651, 0.8981), (0.00611, 0.912, 0.4024)),
    "activity": ((0.00337, 0.8338), (0.00300, 0.8445, 0.9652)),
}


@dataclasses.dataclass(frozen=True)
class SelectionSettings(ExperimentSettings):
    """Settings of the feature selection experiment.

    Args:
        features: K, how many features are selected; None for the recipe's.
        legacy: the published, leaky preprocessing, see :func:`uae_tf.datasets.load`.
        baselines: whether methods without a network are measured too.
    """

    KNOWN_ARMS: ClassVar[tuple[str, ...]] = ARMS

    dataset: str = "mice_protein"
    # All but original_short, which no equal-updates comparison needs.
    arms: tuple[str, ...] = tuple(arm for arm in ARMS if arm != "original_short")
    features: int | None = None
    legacy: bool = False
    baselines: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features is not None:
            self._count("features")

    @property
    def recipe(self) -> SelectionRecipe:
        """The recipe of the data set, with what these settings say otherwise."""
        recipe = RECIPES.get(self.dataset, SelectionRecipe())
        changes = {"features": self.features, "epochs": self.epochs}
        return dataclasses.replace(
            recipe, **{name: v for name, v in changes.items() if v is not None}
        )
