"""What all seeds of the contrastive experiment share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ... import datasets
from ...criteria import Contrastive
from ...datasets import Dataset
from ...evaluation.robustness import RobustnessCurve
from ...models import ResNet18, SimCLR, SimCLRAugment
from ...optimizers import LARS, simclr_schedule
from ...training import CLAE
from ..augmenters import Augmenter
from ..seed_run import Bench
from .settings import ContrastSettings

#: Views that examples are judged by, none of which an attack has seen.
_JUDGED_VIEWS = 4


class ContrastBench(Bench):
    """Contrastive encoders by the recipe.

    Args:
        settings: of the experiment.
        data: with all test samples and at full size; see :func:`prepare`.

    Raises:
        ValueError: data that are no images, or batches of which one would hold a single
            sample.
    """

    settings: ContrastSettings

    def __init__(self, settings: ContrastSettings, data: Dataset) -> None:
        self.recipe = settings.recipe
        data = prepare(data, settings)
        rows = np.linspace(0, len(data.x_train) - 1, self.recipe.reference, dtype=int)
        self.reference = data.x_train[np.unique(rows)]
        self.data = data
        copies = settings.num_copies
        for count in (len(data.x_train), (1 + copies) * len(data.x_train)):
            if count % self.recipe.batch_size == 1:
                raise ValueError(
                    f"`samples` {len(data.x_train)} and `batch_size` "
                    f"{self.recipe.batch_size} leave a batch of one sample, which has "
                    "no negatives. Choose another number of either."
                )
        super().__init__(settings, data, "simclr", "simclr")
        self._probe = keras.Sequential(
            [
                keras.Input(data.sample_shape),
                self.judge.model.encoder,
                keras.layers.Dense(data.num_classes, dtype="float32"),
            ]
        )
        self._robustness = RobustnessCurve(
            self._probe,
            [radius / 255 for radius in self.recipe.radii],
            self.recipe.robust_steps,
        )

    @classmethod
    def load(cls, settings: ContrastSettings) -> ContrastBench:
        data = datasets.load(settings.dataset, settings.data_dir, settings.samples)
        return cls(settings, data)

    @property
    def epochs(self) -> int:
        return self.recipe.epochs

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def described_settings(self) -> dict[str, Any]:
        recipe = dataclasses.asdict(self.recipe)
        return {**recipe, "model": f"SimCLR ResNet-18 (width {self.recipe.width})"}

    def factory(self, kind: str, updates: int = 1) -> Callable[[], keras.Model]:
        recipe, shape = self.recipe, self.data.sample_shape
        is_half = self.settings.precision == "bfloat16"

        def make() -> keras.Model:
            encoder = ResNet18(
                width=recipe.width,
                input_shape=shape,
                dtype="mixed_bfloat16" if is_half else "float32",
            )
            model = {"simclr": SimCLR, "clae": CLAE}[kind](
                encoder,
                temperature=recipe.temperature,
                augment=augmentation(shape[-1]),
            )
            has_gpu = bool(tf.config.list_logical_devices("GPU"))
            # Compiled by XLA, convolutions on a CPU are several times slower.
            model.compile(self._optimizer(updates), jit_compile=has_gpu)
            return model

        return make

    def make_judge(self, model: keras.Model) -> Contrastive:
        return self._criterion(model).fresh(num_views=_JUDGED_VIEWS)

    def make_augmenter(self, model: keras.Model) -> Augmenter:
        size = self.recipe.attack_batch
        return Augmenter(self._criterion(model), self.settings, size)

    def robustness(self, head: keras.Sequential) -> list[dict[str, float]]:
        """The curve of the judge's encoder with a linear head on it, on test data."""
        self._probe.layers[-1].set_weights(head.get_weights())
        rows = slice(self.recipe.robust_samples)
        return self._robustness(self.data.x_test[rows], self.data.y_test[rows])

    def _criterion(self, model: keras.Model) -> Contrastive:
        return Contrastive(model, self.reference, self.recipe.num_views)

    def _optimizer(self, updates: int) -> keras.optimizers.Optimizer:
        recipe = self.recipe
        warmup = min(round(recipe.warmup * updates), updates - 1)
        if recipe.optimizer == "lars":
            schedule = simclr_schedule(
                recipe.learning_rate, recipe.batch_size, updates, warmup
            )
            return LARS(schedule)
        # The base rate is for a batch of 256: Adam's does not scale with the batch.
        return keras.optimizers.Adam(
            simclr_schedule(recipe.learning_rate, 256, updates, warmup)
        )


def augmentation(channels: int) -> SimCLRAugment:
    """The random views; without colours where images have none."""
    # No seed: it follows from the global one, which `retrain` sets.
    if channels == 3:
        return SimCLRAugment()
    return SimCLRAugment(strength=0.0, grey_probability=0.0)


def prepare(data: Dataset, settings: ContrastSettings) -> Dataset:
    """The test samples and the size of image that the recipe wants.

    Raises:
        ValueError: samples that are no images, or a side that does not divide theirs.
    """
    recipe, shape = settings.recipe, data.sample_shape
    if len(shape) != 3:
        raise ValueError(
            "`dataset` must hold images, (height, width, channels). "
            f"{data.name!r} has samples of shape {shape}."
        )
    x_train, x_test = data.x_train, data.x_test[: recipe.test_samples]
    if recipe.side is not None and recipe.side < min(shape[:2]):
        x_train, x_test = (shrink(x, recipe.side) for x in (x_train, x_test))
    y_test = data.y_test[: recipe.test_samples]
    return dataclasses.replace(data, x_train=x_train, x_test=x_test, y_test=y_test)


def shrink(images: np.ndarray, side: int) -> np.ndarray:
    """Images ``(N, side, side, channels)``: means over squares of pixels."""
    count, height, width, channels = images.shape
    if height % side or width % side:
        raise ValueError(
            f"`side` must divide the sides of the images, {height} and {width}. "
            f"Received: side={side}"
        )
    squares = images.reshape(count, side, height // side, side, width // side, channels)
    return squares.mean(axis=(2, 4))
