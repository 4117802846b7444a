"""The arms of the contrastive experiment for one seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...evaluation.contrastive import contrastive_loss
from ...evaluation.embedding import embed, knn_accuracy, logistic_probe
from ...evaluation.linear_probe import augmented, head_scores, linear_head
from ...models import SimCLRAugment
from ...training import retrain
from ..progress import Steps
from ..seed_run import SeedRun, Weights
from .bench import ContrastBench

#: Neighbours that vote, as usual for CIFAR-10.
NEIGHBOURS = 200
#: Training samples that the neighbours are taken from while a training runs.
_WATCHED = 4096
#: Samples per batch of the contrastive loss on test data.
_LOSS_BATCH = 256
_NOTHING = {"test_error": np.nan, "train_error": np.nan, "knn_error": np.nan}


class ContrastRun(SeedRun):
    """Trains the arms of one seed, and judges their encoders.

    Attributes:
        features: (train, test) features of the encoder that was measured last.
    """

    bench: ContrastBench

    def __init__(
        self, bench: ContrastBench, seed: int, cache: Path, progress: Steps
    ) -> None:
        super().__init__(bench, seed, cache, progress)
        self.features: tuple[np.ndarray, np.ndarray] | None = None
        self._curves: dict[str, dict[str, Any]] = {}

    def run(self, arm: str, stddev: float | None = None) -> dict[str, Any]:
        found = {**super().run(arm, stddev), **self._curves.get(arm, {})}
        return {**found, "updates": 0} if arm == "untrained" else found

    @property
    def stddevs(self) -> tuple[float, ...]:
        return self.bench.recipe.stddevs

    def _train(
        self,
        kind: str,
        copies: list[np.ndarray],
        updates: int,
        label: str,
        x: np.ndarray | None = None,
    ) -> Weights:
        self.progress.start(f"seed {self.seed}: {label}, training")
        judge = self.bench.judge.model
        if label == "untrained":
            keras.utils.set_random_seed(self.seed)
            return self.bench.factory(kind)().get_weights()
        kind = "clae" if label == "clae" else kind
        watcher = _Watcher(self, updates) if x is None else None
        # An epoch of every arm: as many updates as a pass over the augmented data.
        steps_per_epoch = -(-updates // self.bench.epochs)
        found = retrain(
            self.bench.trainee(kind, updates, steps_per_epoch),
            np.concatenate([self.x if x is None else x, *copies]),
            updates=updates,
            batch_size=self.bench.batch_size,
            steps_per_epoch=steps_per_epoch,
            seed=self.seed,
            callbacks=self._callbacks(label, watcher),
            progress=self.progress.update,
        )
        # A training that went on after a kill knows only the epochs since: none, where
        # it was killed after the last.
        losses = [float(loss) for loss in found.history.get("loss", [])]
        if watcher and watcher.is_complete and len(losses) == self.bench.epochs:
            self._curves[label] = {"loss_curve": losses, "knn_curve": watcher.curve}
        if kind == "clae":
            # Without what its adversarial branch has of its own.
            for name in ("encoder", "projection"):
                part = getattr(found.model, name)
                getattr(judge, name).set_weights(part.get_weights())
            return judge.get_weights()
        return found.model.get_weights()

    def _callbacks(
        self, label: str, watcher: keras.callbacks.Callback | None
    ) -> list[keras.callbacks.Callback]:
        name = f"{label.replace(' ', '-')}-{self.seed}"
        # A long training goes on where it was killed; it removes the folder at its end.
        found: list[keras.callbacks.Callback] = [
            keras.callbacks.BackupAndRestore(self.cache.parent / "backup" / name)
        ]
        if self.settings.tensorboard:
            folder = self.cache.parent / "tensorboard" / name
            found.append(keras.callbacks.TensorBoard(folder))
        return found if watcher is None else [*found, watcher]

    def _measure(self, weights: Weights) -> dict[str, Any]:
        # Those of the arm before are not to be shown as this one's.
        self.features = None
        if not _are_finite(weights):
            return dict(_NOTHING)
        data, model = self.bench.data, self.bench.judge.model
        model.set_weights(weights)
        train = embed(model.encoder, data.x_train)
        test = embed(model.encoder, data.x_test)
        self.features = train, test
        head = linear_head(
            train,
            data.y_train,
            renew=self._renewed(),
            seed=self.seed,
            num_classes=data.num_classes,
        )
        scores = head_scores(head, test, data.y_test)
        on_train = head_scores(head, train, data.y_train)
        logistic = logistic_probe(train, data.y_train).score(test, data.y_test)
        neighbours = min(NEIGHBOURS, len(train))
        knn = knn_accuracy(train, data.y_train, test, data.y_test, neighbours)
        return {
            # In %, as the table and the verdict have it.
            "test_error": 100.0 * (1.0 - scores["accuracy"]),
            "train_error": 100.0 * (1.0 - on_train["accuracy"]),
            "knn_error": 100.0 * (1.0 - knn),
            "accuracy": scores["accuracy"],
            "knn_accuracy": knn,
            "logistic_accuracy": float(logistic),
            "head_cross_entropy": scores["head_cross_entropy"],
            "robustness_curve": [
                [point["epsilon"], point["accuracy"]]
                for point in self.bench.robustness(head)
            ],
            "contrastive_loss": contrastive_loss(
                model, data.x_test, min(_LOSS_BATCH, len(data.x_test))
            ),
        }

    def neighbours_accuracy(self, model: keras.Model, rows: int = _WATCHED) -> float:
        """Accuracy of the nearest neighbours by a model in training."""
        judge, data = self.bench.judge.model, self.bench.data
        # The judge's forward pass is compiled; that of each new model is not.
        judge.encoder.set_weights(model.encoder.get_weights())
        train, test = (
            embed(judge.encoder, x) for x in (data.x_train[:rows], data.x_test)
        )
        labels = data.y_train[:rows], data.y_test
        return knn_accuracy(
            train, labels[0], test, labels[1], min(NEIGHBOURS, len(train))
        )

    def _renewed(self) -> Callable[[], np.ndarray] | None:
        """Features of crops and mirror images, other ones at each call."""
        if not self.bench.recipe.head_augment:
            return None
        crop = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=self.seed)
        encoder = self.bench.judge.model.encoder
        return lambda: embed(encoder, augmented(crop, self.x))

    def _validation_error(
        self, weights: Weights, rows: np.ndarray, judged: np.ndarray
    ) -> float:
        """By the neighbours, whose labels are training labels."""
        if not _are_finite(weights):
            return np.nan
        model, labels = self.bench.judge.model, self.bench.data.y_train
        model.set_weights(weights)
        known, asked = (embed(model.encoder, self.x[part]) for part in (rows, judged))
        neighbours = min(NEIGHBOURS, len(known))
        return 1.0 - knn_accuracy(
            known, labels[rows], asked, labels[judged], neighbours
        )


class _Watcher(keras.callbacks.Callback):
    """Asks the neighbours a few times in a training."""

    def __init__(self, run: ContrastRun, updates: int) -> None:
        super().__init__()
        self.run = run
        epochs = run.bench.epochs
        checks = min(run.bench.recipe.checks, epochs)
        self.epochs = {round((i + 1) * epochs / checks) for i in range(checks)}
        self.curve: list[list[float]] = []

    @property
    def is_complete(self) -> bool:
        """Whether all checks were made: not where the training diverged."""
        return len(self.curve) == len(self.epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        # One that diverges has no neighbours to ask, and goes on to be told as failed.
        if epoch + 1 in self.epochs and _are_finite(self.model.get_weights()):
            accuracy = self.run.neighbours_accuracy(self.model)
            self.curve.append([epoch + 1, accuracy])


def _are_finite(weights: Weights) -> bool:
    return all(np.isfinite(array).all() for array in weights)
