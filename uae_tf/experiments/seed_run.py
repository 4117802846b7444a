"""All arms of an experiment for one seed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import datasets
from ..attacks.batches import check_samples
from ..criteria import Criterion, Reconstruction
from ..datasets import Dataset
from ..evaluation import (
    measure_examples,
    perturbation_sizes,
    reconstruction_errors,
)
from ..models import build, recipe
from ..training import retrain
from ..training.compiled_once import CompiledOnce
from ..training.retrain import split_steps
from .arrays import read_arrays, write_arrays
from .augmenters import UAE_ARMS, Augmenter, conventional_copy
from .progress import Steps
from .settings import ExperimentSettings, ReconstructionSettings

#: Standard deviations that gaussian_tuned is chosen from (docs/DECISIONS.md).
STDDEVS = (0.05, 0.1, 0.2, 0.3, 0.5)

_WITHOUT_COPIES = ("untrained", "original", "original_short", "duplicated", "clae")
#: Arms that need the examples of another one.
_BORROWS = {"matched_noise": "mine_uae", "conventional_mine_uae": "mine_uae"}

Weights = list[np.ndarray]


class Bench(ABC):
    """What all seeds share: data, the way of training, and models compiled once.

    Args:
        settings: of the experiment.
        data: the data set, already cut to the wanted number of samples.
        kind: of model that is retrained.
        source_kind: of model that is attacked.

    Raises:
        ValueError: too few samples for an arm, samples outside [0, 1], or an attack
            that the model does not fit.

    Attributes:
        judge: the attacked criterion on a model of the kind that is retrained; its
            weights are set seed by seed.
        augmenter: makes the examples, against a model of the source kind.
    """

    def __init__(
        self, settings: ExperimentSettings, data: Dataset, kind: str, source_kind: str
    ) -> None:
        if "gaussian_tuned" in settings.arms and len(data.x_train) < 2:
            raise ValueError(
                "`arms` has gaussian_tuned, which holds out training samples and so "
                "needs two or more. Received: samples=1. Leave out that arm, or use "
                "more samples."
            )
        # At once, and not where the first attack refuses them after hours.
        try:
            check_samples(data.x_train, (0.0, 1.0))
        except ValueError as error:
            raise ValueError(f"Data set {data.name!r} does not fit: {error}") from None
        self.settings = settings
        self.data = data
        self.kind = kind
        self.source_kind = source_kind
        self._trainees: dict[tuple[str, int], CompiledOnce] = {}
        self.judge = self.make_judge(self.factory(kind)())
        attacked = self.judge.model
        if source_kind != kind:
            attacked = self.factory(source_kind)()
        self.augmenter = self.make_augmenter(attacked)
        # Likewise at once, where one does not fit the model.
        attacking = {_BORROWS.get(arm, arm) for arm in settings.arms}
        self.augmenter.make_attacks(attacking, data.sample_shape)

    @classmethod
    def load(cls, settings: Any) -> Bench:
        """A bench with the data that the settings name.

        Raises:
            NotImplementedError: a kind whose data or models are given.
        """
        raise NotImplementedError(f"{cls.__name__} is made of given data.")

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Passes over the augmented data."""

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Samples an update."""

    def make_judge(self, model: keras.Model) -> Criterion:
        """The criterion that examples are judged by."""
        return Reconstruction(model, self.settings.norm)

    def make_augmenter(self, model: keras.Model) -> Augmenter:
        """What makes examples against a model of the attacked kind."""
        return Augmenter(Reconstruction(model, self.settings.norm), self.settings)

    @abstractmethod
    def factory(self, kind: str, updates: int = 1) -> Callable[[], keras.Model]:
        """Makes a fresh, compiled model of a kind, to be trained that long."""

    def trainee(
        self, kind: str, updates: int, steps_per_epoch: int | None = None
    ) -> Callable[[], keras.Model]:
        """As :meth:`factory`, with one compiled training for all arms and seeds."""
        if (kind, updates) not in self._trainees:
            _, call_steps = split_steps(updates, steps_per_epoch)
            made = CompiledOnce(self.factory(kind, updates), call_steps)
            self._trainees[kind, updates] = made
        return self._trainees[kind, updates]

    def described_settings(self) -> dict[str, Any]:
        """Settings that were left to the recipe, as they turned out."""
        return {"epochs": self.epochs}

    def updates(self, num_samples: int, copies: int) -> int:
        """Updates of the wanted epochs over samples and ``copies`` copies of each."""
        return self.epochs * -(-num_samples * (1 + copies) // self.batch_size)


class ReconstructionBench(Bench):
    """Autoencoders by their recipes."""

    settings: ReconstructionSettings

    def __init__(self, settings: ReconstructionSettings, data: Dataset) -> None:
        self.recipe = recipe(settings.model, settings.recipe, data.sample_shape)
        _check_images(data, settings)
        source = settings.source_model or settings.model
        super().__init__(settings, data, settings.model, source)

    @classmethod
    def load(cls, settings: ReconstructionSettings) -> ReconstructionBench:
        data = datasets.load(settings.dataset, settings.data_dir, settings.samples)
        return cls(settings, data)

    @property
    def epochs(self) -> int:
        return self.settings.epochs or self.recipe.epochs

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def factory(self, kind: str, updates: int = 1) -> Callable[[], keras.Model]:
        del updates
        return lambda: build(kind, self.data.sample_shape, self.settings.recipe)


def _check_images(data: Dataset, settings: ReconstructionSettings) -> None:
    """Refuses at once what the conventional arms would refuse after hours."""
    needs_images = set(settings.conventional) - {"noise"}
    arms = [arm for arm in settings.arms if arm.startswith("conventional")]
    if arms and needs_images and len(data.sample_shape) != 3:
        raise ValueError(
            f"The arms {', '.join(arms)} flip or rotate, and need images (height, "
            f"width, channels). {data.name!r} has samples of shape "
            f"{data.sample_shape}. Leave them out, or flips and rotations."
        )


class SeedRun:
    """Trains and measures the arms of one seed, each for the same number of updates.

    Args:
        bench: what all seeds share.
        seed: of weights, order and noise.
        cache: folder for the weights of the original models.
        progress: where steps are shown.
    """

    def __init__(self, bench: Bench, seed: int, cache: Path, progress: Steps) -> None:
        self.bench = bench
        self.seed = seed
        self.cache = cache
        self.progress = progress
        self.settings = bench.settings
        self.x = bench.data.x_train
        #: Of each arm, the copies of a sample side by side; NaN is a failure.
        self.changes: dict[str, np.ndarray] = {}
        self._copies: dict[str, list[np.ndarray]] = {}
        self._attack_seconds: dict[str, float] = {}

    def run(self, arm: str, stddev: float | None = None) -> dict[str, Any]:
        """Trains one arm and returns its numbers."""
        self._make_ready(arm)
        started = time.perf_counter()
        entry: dict[str, Any] = {}
        if arm == "original":
            weights = self.original(self.bench.kind)
            updates = self.num_updates
        else:
            copies = self._arm_copies(arm, stddev)
            if copies:
                entry |= self._measure_copies(arm, copies)
            copies = [self.x] if arm == "duplicated" else copies
            updates = self.num_updates
            if arm == "original_short":
                updates = self.bench.updates(len(self.x), 0)
            weights = self._train(self.bench.kind, copies, updates, arm)
        self.progress.start(f"seed {self.seed}: {arm}, measuring")
        measured = self._measure(weights)
        attack_seconds = self._attack_seconds.get(arm, 0.0)
        return {
            **measured,
            **entry,
            "updates": updates,
            "attack_seconds": attack_seconds,
            "seconds": attack_seconds + time.perf_counter() - started,
        }

    def further(self, name: str) -> dict[str, Any]:
        """Measures what is no arm; see ``Experiment.further_names``."""
        raise NotImplementedError(name)

    @property
    def num_updates(self) -> int:
        """The number of updates that every arm but original_short gets."""
        return self.bench.updates(len(self.x), self.settings.num_copies)

    def original(self, kind: str) -> Weights:
        """Weights of the model trained on the data as they are, cached on disk."""
        path = self.cache / f"original-{kind}-{self.seed}.npz"
        if path.exists():
            return list(read_arrays(path).values())
        weights = self._train(kind, [], self.num_updates, "original")
        write_arrays(path, {str(i): array for i, array in enumerate(weights)})
        return weights

    def tune(self) -> dict[str, float]:
        """Validation error of each candidate for gaussian_tuned, by its sigma.

        Trains on nine tenths of the samples and judges on the others, which no other
        arm ever leaves out: the test split plays no part.
        """
        order = np.random.default_rng(self.seed).permutation(len(self.x))
        held_out = max(1, len(self.x) // 10)
        rows, judged = order[held_out:], order[:held_out]
        fit = self.x[rows]
        updates, errors = self.bench.updates(len(fit), self.settings.num_copies), {}
        for stddev in self.stddevs:
            copies = [
                self.bench.augmenter(
                    "gaussian_tuned", fit, self._draw(i), stddev=stddev
                )
                for i in range(self.settings.num_copies)
            ]
            examples = [c.examples for c in copies]
            weights = self._train(
                self.bench.kind, examples, updates, f"choosing sigma {stddev}", fit
            )
            errors[str(stddev)] = self._validation_error(weights, rows, judged)
        return errors

    @property
    def stddevs(self) -> tuple[float, ...]:
        """What the standard deviation of gaussian_tuned is chosen from."""
        return STDDEVS

    def copies(self, arm: str) -> list[np.ndarray]:
        """Examples of an attacking arm, one array per round and copy; kept."""
        if arm not in self._copies:
            started = time.perf_counter()
            self._copies[arm] = self._attack(arm)
            self._attack_seconds[arm] = time.perf_counter() - started
        return self._copies[arm]

    def _make_ready(self, arm: str) -> None:
        """Makes what several arms share, so that it counts in the time of its own."""
        if arm in _WITHOUT_COPIES:
            return
        self.original(self.bench.kind)
        attacker = arm if arm in UAE_ARMS else _BORROWS.get(arm)
        if attacker:
            self.original(self.bench.source_kind)
            self.copies(attacker)

    def _attack(self, arm: str) -> list[np.ndarray]:
        kind = self.bench.source_kind
        weights, found = self.original(kind), []
        for round_ in range(self.settings.rounds):
            self.bench.augmenter.model.set_weights(weights)
            for copy in range(self.settings.copies):
                self.progress.start(f"seed {self.seed}: {arm}, attacking")
                draw = self._draw(round_ * self.settings.copies + copy)
                result = self.bench.augmenter(
                    arm, self.x, draw, progress=self.progress.update
                )
                found.append(result.augmented(self.x))
            if round_ + 1 < self.settings.rounds:
                # A name of its own: what a killed training left is that round's.
                label = f"{arm} round {round_ + 1}"
                weights = self._train(kind, found, self.num_updates, label)
        return found

    def _arm_copies(self, arm: str, stddev: float | None) -> list[np.ndarray]:
        if arm in _WITHOUT_COPIES:
            return []
        if arm in UAE_ARMS:
            return self.copies(arm)
        if arm.startswith("conventional"):
            kinds = self.settings.conventional
            added = [conventional_copy(self.x, kinds, self._draw(0))]
            return added + (self.copies("mine_uae") if arm.endswith("uae") else [])
        found = []
        for index in range(self.settings.num_copies):
            sizes = None
            if arm == "matched_noise":
                uae = self.copies("mine_uae")[index]
                sizes = perturbation_sizes(self.x, uae)["l2"]
            self.progress.start(f"seed {self.seed}: {arm}, adding noise")
            result = self.bench.augmenter(
                arm, self.x, self._draw(index), sizes, stddev, self.progress.update
            )
            found.append(result.examples)
        return found

    def _measure_copies(self, arm: str, copies: list[np.ndarray]) -> dict[str, float]:
        """An independent look at the examples, the same for noise and for attacks."""
        self.bench.judge.model.set_weights(self.original(self.bench.kind))
        found = [measure_examples(self.bench.judge, self.x, copy) for copy in copies]
        # A failure is the sample itself, and its change of 0 no success.
        moved = [
            np.any((copy != self.x).reshape(len(self.x), -1), axis=1) for copy in copies
        ]
        changes = [part["relative_loss_change"] for part in found]
        self.changes[arm] = np.where(moved, changes, np.nan).T.ravel()
        means = {n: float(np.mean([part[n] for part in found])) for n in found[0]}
        return {"success_rate": means.pop("success"), **means}

    def _train(
        self,
        kind: str,
        copies: list[np.ndarray],
        updates: int,
        label: str,
        x: np.ndarray | None = None,
    ) -> Weights:
        self.progress.start(f"seed {self.seed}: {label}, training")
        x = self.x if x is None else x
        inputs = np.concatenate([x, *copies])
        is_clean = self.settings.target == "clean"
        return retrain(
            self.bench.trainee(kind, updates),
            inputs,
            updates=updates,
            batch_size=self.bench.batch_size,
            target=self.settings.target,
            x_target=np.concatenate([x] * (1 + len(copies))) if is_clean else None,
            seed=self.seed,
            progress=self.progress.update,
        ).model.get_weights()

    def _measure(self, weights: Weights) -> dict[str, Any]:
        """What the trained model is worth."""
        test = self._errors(weights, self.bench.data.x_test)
        train = self._errors(weights, self.x)
        return {"test_error": float(test.mean()), "train_error": float(train.mean())}

    def _validation_error(
        self, weights: Weights, rows: np.ndarray, judged: np.ndarray
    ) -> float:
        """Error on the training samples ``judged``, of a model trained on ``rows``."""
        del rows
        return float(self._errors(weights, self.x[judged]).mean())

    def _errors(self, weights: Weights, x: np.ndarray) -> np.ndarray:
        # One model measures all: its forward pass is compiled once, not per training.
        self.bench.judge.model.set_weights(weights)
        return reconstruction_errors(self.bench.judge.model, x)

    def _draw(self, index: int) -> int:
        return self.seed * self.settings.num_copies + index
