"""Data and classifiers of the supervised experiments, and how attacks are measured."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ... import datasets
from ...attacks import Attack, AttackResult
from ...criteria import Criterion
from ...datasets import Dataset
from ...datasets.pipelines import predict
from ...evaluation import CriticInformation, error_rate, structural_similarity
from ...files import atomic_file
from ...mine.layers import first_convolution
from ...models import build_classifier, check_logits, classifier_recipe
from ..progress import JobProgress
from .robust_training import train_robust
from .settings import SupervisedSettings

#: Where a version of the folder models/ keeps its Keras file.
BESIDE = Path("assets.extra", "model.keras")
#: Ascent steps of the critics that judge the examples of all attacks alike.
CRITIC_STEPS = 1000

Progress = Callable[[int, int | None], None]
Callbacks = list[keras.callbacks.Callback]
Train = Callable[[Callbacks], keras.Model]

_TRAININGS = {
    "classifier": "training the classifier",
    "robust": "training the robust classifier",
    "features": "training the extractor",
}


class Bench:
    """What the jobs of a table share.

    Args:
        settings: of the experiment.
        cache: folder for the classifiers that had to be trained.
    """

    def __init__(self, settings: SupervisedSettings, cache: Path) -> None:
        self.settings = settings
        self.cache = cache
        self.data: Dataset = datasets.load(settings.dataset, settings.data_dir)
        #: Where the training of a classifier is shown; None for nowhere.
        self.progress: JobProgress | None = None
        self._models: dict[str, keras.Model] = {}
        self._judges: dict[tuple[int, str], CriticInformation] = {}

    def classifier(self) -> keras.Model:
        """The attacked classifier."""
        return self._model("classifier", self.settings.classifier, self._train)

    def robust_classifier(self) -> keras.Model:
        """The adversarially trained one."""
        path = self.settings.robust_classifier
        return self._model("robust", path, self._train_robust)

    def extractor(self) -> keras.Model:
        """The network whose features distances are measured in; never attacked."""
        return self._model("features", self.settings.extractor, self._train_other)

    def images(self, model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """The first test images that ``model`` classifies correctly, and labels.

        Raises:
            ValueError: fewer than the settings ask for.
        """
        data, wanted = self.data, self.settings.samples
        predicted = predict(model, data.x_test).argmax(1)
        rows = np.flatnonzero(predicted == data.y_test)[:wanted]
        if len(rows) < wanted:
            raise ValueError(
                f"`samples` asks for {wanted} test images that are classified "
                f"correctly. Received: a classifier with {len(rows)} of them."
            )
        return data.x_test[rows], data.y_test[rows]

    def error(self, model: keras.Model) -> float:
        """The error rate on all test images."""
        return error_rate(model, self.data.x_test, self.data.y_test)

    def measure(
        self,
        criterion: Criterion,
        x: np.ndarray,
        y: np.ndarray,
        result: AttackResult,
        with_critics: bool = True,
    ) -> dict[str, np.ndarray]:
        """What the examples of an attack are, measured alike for all attacks.

        Args:
            criterion: a margin, with the model.
            x: ``(N, *shape)``, attacked samples.
            y: ``(N,)``, their labels.
            result: of the attack.
            with_critics: whether fresh critics are trained on the examples.

        Returns:
            ``(N,)`` each. ``success``: by a forward pass outside of the attack.
            ``similarity``: as the attack reports it. ``mi_all`` and
            ``mi_permutation``: by fresh critics, for models with a convolution.
        """
        examples, model = result.examples, criterion.model
        found = {
            "success": criterion.evaluate(x, examples, y)[0] <= 0.0,
            "similarity": result.similarity,
            "l2": result.l2,
            "linf": result.linf,
            "ssim": structural_similarity(x, examples),
        }
        if with_critics and first_convolution(model) is not None:
            for name, marginals in (("mi_all", "all"), ("mi_permutation", "shuffle")):
                key = (id(model), marginals)
                if key not in self._judges:
                    self._judges[key] = CriticInformation(
                        model, marginals, steps=CRITIC_STEPS
                    )
                found[name] = self._judges[key](x, examples)
        return found

    def _model(self, name: str, path: str | None, train: Train) -> keras.Model:
        if name not in self._models:
            cached = self.cache / f"{name}.keras"
            if path is not None:
                model = load_classifier(path)
            elif cached.exists():
                model = load_classifier(cached)
            else:
                model = self._shown(name, train)
                with atomic_file(cached) as temporary:
                    # Keras knows its format by the ending.
                    keras_file = temporary.with_suffix(".keras")
                    model.save(keras_file)
                    keras_file.replace(temporary)
            check_logits(model, self.data.sample_shape)
            self._models[name] = model
        return self._models[name]

    def _shown(self, name: str, train: Train) -> keras.Model:
        if self.progress is None:
            return train([])
        with self.progress.inside(_TRAININGS[name]) as report:
            return train([_Epochs(report)])

    def _train(self, callbacks: Callbacks, seed: int | None = None) -> keras.Model:
        settings = self.settings
        seed = settings.seed if seed is None else seed
        recipe = classifier_recipe(settings.dataset, settings.recipe)
        keras.utils.set_random_seed(seed)
        model = build_classifier(settings.dataset, settings.recipe)
        model.fit(
            *(self.data.x_train, self.data.y_train),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            callbacks=callbacks,
            verbose=0,
        )
        return _without_optimizer(model)

    def _train_other(self, callbacks: Callbacks) -> keras.Model:
        # Other weights: an attack moves the features of the attacked network.
        return self._train(callbacks, self.settings.seed + 1)

    def _train_robust(self, callbacks: Callbacks) -> keras.Model:
        settings, data = self.settings, self.data
        count = settings.robust_samples
        model = train_robust(
            *(data.x_train[:count], data.y_train[:count]),
            epochs=settings.robust_epochs,
            seed=settings.seed,
            callbacks=callbacks,
            # The first images may lack some.
            num_classes=data.num_classes,
        )
        return _without_optimizer(model)


class _Epochs(keras.callbacks.Callback):
    """Reports the epochs of a training."""

    def __init__(self, report: Progress) -> None:
        super().__init__()
        self.report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        del logs
        self.report(epoch + 1, self.params["epochs"])


def load_classifier(path: str | Path) -> keras.Model:
    """Reads a classifier: a `.keras` file, or a version of the folder models/.

    Raises:
        ValueError: there is no such file.
    """
    model: Any = keras.saving.load_model(classifier_file(path), compile=False)
    return model


def classifier_file(path: str | Path) -> Path:
    """The Keras file of a classifier.

    Raises:
        ValueError: as :func:`load_classifier`.
    """
    path = Path(path)
    file = path / BESIDE if path.is_dir() else path
    if not file.is_file():
        raise ValueError(
            f"No classifier at {path}. Expected a .keras file, or an exported version "
            f"with one in {BESIDE}, such as models/mnist_classifier/1."
        )
    return file


def run_attack(
    attack: Attack, x: np.ndarray, y: np.ndarray, size: int, progress: Progress
) -> tuple[AttackResult, float]:
    """The result of an attack with its trace, and the seconds it took."""
    with warnings.catch_warnings():
        # That nothing succeeds is a result here, and stands in the table.
        warnings.filterwarnings("ignore", message="The attack (moved|succeeded)")
        started = time.perf_counter()
        result = attack(x, y, batch_size=size, progress=progress, trace=True)
        return result, time.perf_counter() - started


def _without_optimizer(model: keras.Model) -> keras.Model:
    """The same weights, uncompiled: an optimizer's state would triple the file."""
    plain = type(model).from_config(model.get_config())
    plain.set_weights(model.get_weights())
    return plain
