"""Training and measuring one trial of the semi-supervised experiment."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np

from ... import datasets
from ...attacks import MinMaxAttack, VirtualAdversarialPerturbation
from ...criteria import Divergence, Reconstruction
from ...datasets import (
    Dataset,
    SemiSupervisedSplit,
    ZCAWhitening,
    semi_supervised_split,
)
from ...datasets.preprocessing import average_down
from ...evaluation import error_rate, perturbation_sizes
from ...mine import GaussianMI
from ...models import AdversarialExampleGenerator, build
from ...optimizers import LinearDecay
from ...training import (
    AdversarialGeneratorTraining,
    ConsistencyTraining,
    SemiSupervisedDataset,
    VirtualAdversarialTraining,
)
from ...training.compiled_once import CompiledOnce
from ...training.retrain import split_steps
from .arms import GENERATORS, Trial
from .settings import SemiSupervisedSettings

#: Validation points drawn for the circles, which have as many as one likes.
CIRCLE_VALIDATION = 1000
#: Fit epochs a training is cut into at the most, for progress and the stop at NaN.
_MOST_EPOCHS = 10
#: Offset of the seeds that validation points of the circles are drawn with.
_OTHER_POINTS = 100_000
_MEASURED = 500
#: Of more, no model is kept: tracing is little of such a training, and a model for each
#: setting would fill the memory.
_FEW_WEIGHTS = 500_000

Progress = Callable[[int, int | None], None]


class Bench:
    """Data and training of one seed at a time.

    Args:
        settings: of the experiment.
    """

    def __init__(self, settings: SemiSupervisedSettings) -> None:
        self.settings = settings
        self.protocol = settings.protocol
        self._data: Dataset | None = None
        self._whitening: ZCAWhitening | None = None
        self._splits: dict[int, SemiSupervisedSplit] = {}
        self._autoencoder: keras.Model | None = None
        self._uaes: dict[tuple[float, int], np.ndarray] = {}
        self._pretrained: dict[int, list[np.ndarray]] = {}
        self._trainees: dict[Trial, CompiledOnce] = {}

    def split(self, seed: int) -> SemiSupervisedSplit:
        """Labelled, unlabelled, validation and test samples of a seed."""
        if seed not in self._splits:
            draw = self._circles if self.settings.dataset == "circles" else self._images
            self._splits = {seed: draw(seed)}
            self._autoencoder = None
            self._uaes = {}
            self._pretrained = {}
        return self._splits[seed]

    def train(
        self, trial: Trial, seed: int, progress: Progress | None = None
    ) -> tuple[ConsistencyTraining, dict[str, float]]:
        """Trains one trial with one seed.

        Args:
            trial: method and setting.
            seed: of labels, weights, order and noise.
            progress: called as ``progress(updates done, updates)``.

        Returns:
            The trained model, good until the next call for this trial, and its
            numbers: errors in %, updates, seconds, the last epoch's logs.

        Raises:
            FloatingPointError: the loss became NaN.
        """
        started = time.perf_counter()
        split, protocol = self.split(seed), self.protocol
        model = self._trainee(trial, split, seed)
        examples = None
        if trial.method == "mine_uae":
            examples = self.uaes(trial, seed)
        data = SemiSupervisedDataset(
            split.x_labelled,
            split.y_labelled,
            split.x_unlabelled,
            examples,
            labelled_batch=protocol.labelled_batch,
            unlabelled_batch=protocol.unlabelled_batch,
            steps_per_epoch=protocol.updates // self._epochs,
            seed=seed,
        )
        report = _Report(progress, protocol.updates)
        history = model.fit(
            data.as_tf_data(),
            epochs=self._epochs,
            shuffle=False,
            callbacks=[report],
            verbose=0,
        ).history
        numbers = {
            "test_error": 100.0 * error_rate(model, split.x_test, split.y_test),
            "validation_error": 100.0
            * error_rate(model, split.x_validation, split.y_validation),
            "l2": self.length(trial, model, seed),
            **{name: float(values[-1]) for name, values in history.items()},
            "updates": protocol.updates,
            "seconds": time.perf_counter() - started,
        }
        return model, {name: n for name, n in numbers.items() if n is not None}

    def examples(
        self, trial: Trial, model: ConsistencyTraining, x: np.ndarray, draw: int = 0
    ) -> np.ndarray:
        """What a trained model's method makes of samples.

        Args:
            trial: method and setting; not "supervised", not "mine_uae".
            model: trained by :meth:`train`.
            x: ``(N, *shape)``.
            draw: another number gives other noise.

        Returns:
            ``(N, *shape)``.
        """
        if isinstance(model, AdversarialGeneratorTraining):
            rng = np.random.default_rng(draw)
            z = rng.normal(size=(len(x), model.generator.noise_dim)).astype("float32")
            return model.generate(x, z, training=False).numpy()
        margin = trial.value or 0.0
        attack = VirtualAdversarialPerturbation(
            Divergence(model.classifier, kappa=0.0),
            epsilon=trial.value or 1.0,
            power_iterations=0 if trial.method == "random" else 1,
            # In training nothing is clipped.
            bounds=(float(x.min()) - margin, float(x.max()) + margin),
            seed=draw,
        )
        return attack(x).examples

    def as_measured(self, x: np.ndarray) -> np.ndarray:
        """Samples as they were before a protocol's whitening, ``(N, *shape)``."""
        return x if self._whitening is None else self._whitening.restore(x)

    def uaes(self, trial: Trial, seed: int) -> np.ndarray:
        """MINE-UAEs of the unlabelled samples, ``(U, *shape)``, the same per seed.

        Found against an autoencoder of the unlabelled samples; failures are the
        samples themselves.
        """
        size = trial.value or 0.0
        if (size, seed) not in self._uaes:
            x = self.as_measured(self.split(seed).x_unlabelled)
            low, high = float(x.min()), float(x.max())
            scaled = (x - low) / (high - low)
            if self._autoencoder is None:
                self._autoencoder = _autoencoder(scaled, seed)
            found = low + (high - low) * _uaes(self._autoencoder, scaled, size, seed)
            self._uaes[size, seed] = (
                found if self._whitening is None else self._whitening(found)
            )
        return self._uaes[size, seed]

    def length(
        self, trial: Trial, model: ConsistencyTraining, seed: int
    ) -> float | None:
        """Mean L2 distance of an example from its sample, None without examples."""
        if trial.method == "supervised":
            return None
        x = self.split(seed).x_unlabelled[:_MEASURED]
        if trial.method == "mine_uae":
            examples = self.uaes(trial, seed)[:_MEASURED]
        else:
            examples = self.examples(trial, model, x)
        return float(perturbation_sizes(x, examples)["l2"].mean())

    @property
    def _epochs(self) -> int:
        """How many, so that they are equally long and no update is left over."""
        numbers = range(_MOST_EPOCHS, 0, -1)
        return next(n for n in numbers if self.protocol.updates % n == 0)

    def _trainee(
        self, trial: Trial, split: SemiSupervisedSplit, seed: int
    ) -> ConsistencyTraining:
        """A new model, or the last seed's in the state of a new one."""
        # Few calls, and none that overruns an epoch.
        updates = self.protocol.updates
        _, call_steps = split_steps(updates, updates // self._epochs)
        factory = partial(self._model, trial, split, seed)
        kept = self._trainees.get(trial)
        if kept is None:
            kept = CompiledOnce(factory, call_steps)
        # Labels and seed are others than those it was made with.
        kept.factory = factory
        keras.utils.set_random_seed(seed)
        model = kept()
        if model.count_params() < _FEW_WEIGHTS:
            self._trainees[trial] = kept
        return model

    def _model(
        self, trial: Trial, split: SemiSupervisedSplit, seed: int
    ) -> ConsistencyTraining:
        protocol, value = self.protocol, trial.value or 1.0
        classifier = protocol.classifier(split.sample_shape, split.num_classes)
        optimizer = keras.optimizers.Adam(
            LinearDecay(protocol.learning_rate, protocol.updates)
        )
        if trial.method in GENERATORS:
            if trial.method == "generator":
                generator = protocol.generator(split.sample_shape)
                self._pretrain(generator, seed)
                game = {"lambda_": value, "stop_gradient": protocol.stop_gradient}
                # The encoder minds lambda as well: docs/DECISIONS.md.
                game["roles"] = "anchored"
            else:
                generator = protocol.bounded(split.sample_shape, value)
                game = {"roles": "joint", "stop_gradient": True}
            model = AdversarialGeneratorTraining(
                classifier,
                generator,
                entropy_minimization=trial.method.endswith("entmin"),
                seed=seed,
                **game,
            )
            rate = keras.optimizers.Adam(protocol.generator_rate, beta_1=0.5)
            model.compile(optimizer, generator_optimizer=rate)
            return model
        if trial.method in ("supervised", "mine_uae"):
            weight = 0.0 if trial.method == "supervised" else 1.0
            model = ConsistencyTraining(classifier, weight, seed=seed)
        else:
            model = VirtualAdversarialTraining(
                classifier,
                epsilon=value,
                power_iterations=0 if trial.method == "random" else 1,
                entropy_minimization=trial.method == "vat_entmin",
                seed=seed,
            )
        model.compile(optimizer)
        return model

    def _pretrain(self, generator: AdversarialExampleGenerator, seed: int) -> None:
        """As an autoencoder, once per seed: lambda plays no part yet."""
        if seed in self._pretrained:
            generator.set_weights(self._pretrained[seed])
            return
        x, epochs = self.split(seed).x_unlabelled, self.protocol.pretrain_epochs
        generator.pretrain(x, epochs=epochs, verbose=0)
        self._pretrained[seed] = generator.get_weights()

    def _images(self, seed: int) -> SemiSupervisedSplit:
        settings, labels = self.settings, self.protocol.labels
        if self._data is None:
            self._data = self._prepared(
                datasets.load(settings.dataset, settings.data_dir, settings.samples)
            )
        return semi_supervised_split(
            self._data,
            _per_class(labels, self._data),
            self.protocol.validation,
            seed=seed,
        )

    def _prepared(self, data: Dataset) -> Dataset:
        if self.protocol.side:
            side = self.protocol.side
            data = _mapped(data, lambda x: average_down(x, side))
        if self.protocol.whiten:
            self._whitening = ZCAWhitening.fit(data.x_train)
            data = _mapped(data, self._whitening)
        return data

    def _circles(self, seed: int) -> SemiSupervisedSplit:
        settings = self.settings

        def draw(seed: int, samples: int | None = None) -> Dataset:
            return datasets.load(
                "circles",
                samples=samples,
                seed=seed,
                noise=settings.noise,
                factor=settings.factor,
            )

        data, other = draw(seed, settings.samples), draw(_OTHER_POINTS + seed)
        labels = _per_class(self.protocol.labels, data)
        count = self.protocol.validation or CIRCLE_VALIDATION
        split = dataclasses.replace(
            semi_supervised_split(data, labels, seed=seed),
            x_validation=other.x_test[:count],
            y_validation=other.y_test[:count],
        )
        if settings.placement == "random":
            return split
        rows = evenly_spaced(data.x_train, data.y_train, labels, seed)
        return dataclasses.replace(
            split, x_labelled=data.x_train[rows], y_labelled=data.y_train[rows]
        )


def evenly_spaced(x: np.ndarray, y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Numbers of the points nearest to ``count`` evenly spaced angles, per class.

    Args:
        x: ``(N, 2)``.
        y: ``(N,)`` class numbers.
        count: points per class.
        seed: of the first angle, which all classes share.

    Returns:
        ``(classes * count,)``.
    """
    angles = np.arctan2(x[:, 1], x[:, 0])
    first = np.random.default_rng(seed).uniform(0.0, 2 * np.pi)
    rows = []
    for number in np.unique(y):
        for k in range(count):
            turn = np.exp(1j * (angles - first - 2 * np.pi * k / count))
            distance = np.where(y == number, np.abs(np.angle(turn)), np.inf)
            rows.append(int(np.argmin(distance)))
    return np.array(rows)


class _Report(keras.callbacks.Callback):
    def __init__(self, progress: Progress | None, total: int) -> None:
        super().__init__()
        self.progress = progress
        self.total = total

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.progress is not None:
            self.progress(int(self.model.optimizer.iterations), self.total)


def _mapped(data: Dataset, change: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    return dataclasses.replace(
        data, x_train=change(data.x_train), x_test=change(data.x_test)
    )


def _per_class(labels: int, data: Dataset) -> int:
    if labels % data.num_classes or labels < data.num_classes:
        raise ValueError(
            f"`labels` must be a multiple of the {data.num_classes} classes of "
            f"{data.name!r}, one label each or more. Received: {labels}"
        )
    return labels // data.num_classes


def _autoencoder(x: np.ndarray, seed: int) -> keras.Model:
    """A dense one of ``x`` in [0, 1]."""
    keras.utils.set_random_seed(seed)
    model = build("dense", x.shape[1:], recipe="modern")
    model.fit(x, epochs=model.recipe.epochs, batch_size=100, verbose=0)
    return model


def _uaes(model: keras.Model, x: np.ndarray, size: float, seed: int) -> np.ndarray:
    """By the closed form of MINE."""
    attack = MinMaxAttack(
        Reconstruction(model),
        GaussianMI(),
        epsilon=size,
        initial_noise=size,
        initial_multiplier=100.0,
        step_size=size / 20,
        seed=seed,
    )
    return attack(np.clip(x, 0.0, 1.0)).augmented(x)
