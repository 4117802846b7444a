"""The arms of the feature selection experiment for one seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import datasets
from ..datasets import Dataset
from ..evaluation.feature_baselines import BASELINES
from ..evaluation.feature_selection import selection_quality
from ..models import ConcreteAutoencoder, concrete_decoder
from .progress import Steps
from .seed_run import Bench, SeedRun, Weights
from .selection_settings import SelectionSettings


class SelectionBench(Bench):
    """Concrete autoencoders by the recipe of their data set."""

    settings: SelectionSettings

    def __init__(self, settings: SelectionSettings, data: Dataset) -> None:
        self.recipe = settings.recipe
        self.data = data
        super().__init__(settings, data, "concrete", "concrete")

    @classmethod
    def load(cls, settings: SelectionSettings) -> SelectionBench:
        name, folder, samples = settings.dataset, settings.data_dir, settings.samples
        data = datasets.load(name, folder, samples, legacy=settings.legacy)
        return cls(settings, data)

    @property
    def epochs(self) -> int:
        return self.recipe.epochs

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def described_settings(self) -> dict[str, Any]:
        return {"model": self.kind, **dataclasses.asdict(self.recipe)}

    def factory(self, kind: str, updates: int = 1) -> Callable[[], keras.Model]:
        del kind
        recipe, shape = self.recipe, self.data.sample_shape

        def make() -> keras.Model:
            model = ConcreteAutoencoder(
                recipe.features,
                concrete_decoder(math.prod(shape), dropout=recipe.dropout),
                shape,
                embedding_dim=recipe.embedding_dim,
            )
            # Every arm cools over its own updates, which are the same number.
            model.annealing_steps = updates
            rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, updates)
            model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=False)
            # Or Keras traces the first step twice.
            model.optimizer.build(model.trainable_variables)
            return model

        return make


class SelectionRun(SeedRun):
    """Trains the arms of one seed, and measures what their features are worth."""

    bench: SelectionBench

    def __init__(
        self, bench: SelectionBench, seed: int, cache: Path, progress: Steps
    ) -> None:
        super().__init__(bench, seed, cache, progress)
        self.selected: dict[str, list[int]] = {}

    def run(self, arm: str, stddev: float | None = None) -> dict[str, Any]:
        numbers = super().run(arm, stddev)
        self.selected[arm] = numbers["selected"]
        return numbers

    def further(self, name: str) -> dict[str, Any]:
        """What a method without a network selects, and what that is worth."""
        self.progress.start(f"seed {self.seed}: {name}, measuring")
        x = self.x.reshape(len(self.x), -1)
        features = BASELINES[name](x, self.bench.recipe.features, self.seed)
        return {**self._quality(features), "selected": np.sort(features).tolist()}

    def _measure(self, weights: Weights) -> dict[str, Any]:
        errors = super()._measure(weights)
        if not np.isfinite(errors["test_error"]):
            # It selected nothing, but the largest of NaN would be the first feature.
            return {**errors, "classifier_error": np.nan, "selected": []}
        # The judge's model has the weights by now.
        model = self.bench.judge.model
        features = model.selected_features
        return {
            **errors,
            **self._quality(features),
            "confidence": model.select.confidence,
            "selected": np.sort(features).tolist(),
        }

    def _quality(self, features: np.ndarray) -> dict[str, float]:
        found = selection_quality(self.bench.data, features, self.seed)
        return {**found, "classifier_error": 1.0 - found["accuracy"]}
