"""The experiment on a model and data of one's own."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from ..attacks.batches import check_samples
from ..datasets import Dataset
from ..training.arrays import check_count
from .experiment import Experiment
from .model_digest import model_digest
from .report import arms_table, to_rich
from .resumable_run import REPORT, check_folder
from .seed_run import Bench
from .settings import ARMS, ExperimentSettings

#: Settings of data sets that are loaded by name.
_OF_DATA = ("dataset", "data_dir", "samples")


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found; printing it shows table and verdict.

    Attributes:
        results: what results.json holds.
        folder: where results.json, report.html and the figures lie.
    """

    results: dict[str, Any]
    folder: Path

    @property
    def verdict(self) -> str:
        """The verdict in words; empty without mine_uae or without a control."""
        found = self.results["verdict"]
        return found["sentence"] if found else ""

    @property
    def test_errors(self) -> dict[str, list[float]]:
        """Mean squared test error of each arm, per entry of x, one number a seed."""
        return {row["arm"]: row["test_error"]["values"] for row in self.results["rows"]}

    @property
    def report(self) -> Path:
        """The page with table, verdict and pictures."""
        return self.folder / REPORT

    def __str__(self) -> str:
        console = Console(width=132, no_color=True, highlight=False)
        with console.capture() as captured:
            console.print(to_rich(arms_table(self.results), console.width))
            console.print(self.verdict)
            if not self.results["complete"]:
                console.print("Interrupted. Go on with the same call and resume=True.")
        return captured.get()


def compare(
    model_factory: Callable[[], keras.Model],
    x_train: np.ndarray,
    x_test: np.ndarray,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    arms: tuple[str, ...] = ARMS,
    out: str | os.PathLike[str] = "runs/compare",
    resume: bool = False,
    name: str = "your data",
    console: Console | None = None,
    **settings: Any,
) -> Comparison:
    """Measures whether UAEs improve a model of yours on data of yours.

    The experiment of ``uae-tf reconstruct``: a model from the factory is trained on the
    data, attacked, and trained anew from scratch with what each arm adds, every arm for
    the same number of updates and with the same seeds. The verdict holds mine_uae
    against every control.

    Args:
        model_factory: returns a built, compiled and untrained model whose output has
            the shape of its input; a new one, layers and all, at every call.
        x_train: ``(N, *shape)`` floating point in [0, 1].
        x_test: ``(M, *shape)``, samples that nothing is chosen by.
        epochs: passes over the augmented data, ``(1 + copies * rounds) N`` samples.
        batch_size: samples an update.
        arms: what is compared; see ``uae_tf.experiments.settings.ARMS``.
        out: folder for results.json, report.html and figures; a finished run there is
            replaced.
        resume: go on from the jobs in ``out`` instead of starting anew.
        name: of the data, for the report.
        console: where progress is drawn; a terminal by default.
        **settings: of :class:`~uae_tf.experiments.settings.ExperimentSettings`: seeds
            (3), preset ("strong"), similarity, steps, target, copies, rounds, ...;
            none that choose data.

    Returns:
        A :class:`Comparison`; after Ctrl-C one of the jobs that were done, whose
        ``results["complete"]`` is False.

    Raises:
        TypeError, ValueError: data, model, settings or a folder that do not fit;
            nothing has been trained or written then.

    Cost:
        ``seeds x arms`` trainings, five more to choose the noise of gaussian_tuned, and
        an attack on all samples per seed and attacking arm.

    Randomness:
        Seeds 0, 1, ... (``seed=`` for another first one) set Keras's global seed before
        each call of the factory.

    Reference:
        Hsu et al., AAAI 2022, Table 4; SPEC 4.12.
    """
    folder = Path(out)
    check_folder(folder)
    for setting in _OF_DATA:
        if setting in settings:
            raise TypeError(
                f"`{setting}` chooses among data sets of uae_tf, but here the data are "
                f"`x_train` and `x_test`. Received: {setting}={settings[setting]!r}. "
                "Leave it out; pass fewer samples for a smaller run, and `name` for "
                "the report."
            )
    train, test = _samples("x_train", x_train), _samples("x_test", x_test)
    no_labels = [np.zeros(len(x), np.int64) for x in (train, test)]
    data = Dataset(train, no_labels[0], test, no_labels[1], name)
    chosen = ExperimentSettings(
        dataset=name, epochs=epochs, arms=tuple(arms), **settings
    )
    bench = OwnModelBench(chosen, data, model_factory, batch_size)
    experiment = OwnModel(chosen, bench, folder, resume, console or Console())
    return Comparison(experiment.run(), folder)


def _samples(label: str, x: Any) -> np.ndarray:
    """The samples of an argument, which is named where they do not fit.

    Returns:
        ``(N, *shape)`` float32 in [0, 1].

    Raises:
        TypeError, ValueError: no array, or one that cannot be attacked within [0, 1].
    """
    array = None
    if isinstance(x, list) or hasattr(x, "__array__"):
        # Rows of several lengths are no array.
        with contextlib.suppress(ValueError):
            array = np.asarray(x)
    if array is None:
        raise TypeError(
            f"`{label}` must be one array of samples, (N, *shape), without labels. "
            f"Received: {type(x).__name__}. Of a batched tf.data.Dataset of samples "
            "pass np.concatenate(list(dataset.as_numpy_iterator()))."
        )
    try:
        check_samples(array, (0.0, 1.0))
    except (TypeError, ValueError) as error:
        # The arms attack within [0, 1] alone.
        text = str(error).replace(", or pass bounds=(low, high) to the attack", "")
        raise type(error)(text.replace("`x`", f"`{label}`", 1)) from None
    return array.astype(np.float32)


class OwnModelBench(Bench):
    """Models from a factory that is not ours.

    Args:
        settings: of the experiment.
        data: given by the user.
        model_factory: as :func:`compare` has it.
        batch_size: samples an update.

    Raises:
        TypeError: a model, or another thing that is no function.
        ValueError: a factory whose models are not built, not compiled, or not new.
    """

    def __init__(
        self,
        settings: ExperimentSettings,
        data: Dataset,
        model_factory: Callable[[], keras.Model],
        batch_size: int,
    ) -> None:
        self._batch_size = check_count("batch_size", batch_size)
        if isinstance(model_factory, keras.Model) or not callable(model_factory):
            raise TypeError(
                "`model_factory` must be a function that returns a new model at every "
                f"call. Received: {model_factory!r}. Put the lines that build and "
                "compile it into a function, and pass that, without calling it."
            )
        # A config may hold what was drawn, such as the seed of a layer.
        keras.utils.set_random_seed(settings.seed)
        model = model_factory()
        if not (isinstance(model, keras.Model) and model.built and model.compiled):
            raise ValueError(
                "`model_factory` must return a built and compiled keras.Model. "
                f"Received: {model!r}. Give it a keras.Input, or call it once, and "
                "call model.compile(optimizer, loss)."
            )
        self._factory = model_factory
        self._digest = model_digest(model)
        self._first = model
        # Not the model's name, which Keras counts up: files are found again by it.
        super().__init__(settings, data, "model", "model")
        self.judge.check(data.x_train[:1], None)

    @property
    def epochs(self) -> int:
        assert self.settings.epochs is not None
        return self.settings.epochs

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def factory(self, kind: str, updates: int = 1) -> Callable[[], keras.Model]:
        del kind, updates
        return self._new_model

    def trainee(
        self, kind: str, updates: int, steps_per_epoch: int | None = None
    ) -> Callable[[], keras.Model]:
        del steps_per_epoch
        # A user's model may hold state that is in no variable.
        return self.factory(kind, updates)

    def described_settings(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for array in (self.data.x_train, self.data.x_test):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            # So that a run does not go on with other data or another model.
            "data_sha256": digest.hexdigest(),
            "model_sha256": self._digest,
            "parameters": self.judge.model.count_params(),
        }

    def _new_model(self) -> keras.Model:
        """The factory's next model, which must have nothing of the first."""
        model = self._factory()
        first = {id(weight) for weight in self._first.trainable_weights}
        if any(id(weight) in first for weight in model.trainable_weights):
            raise ValueError(
                "`model_factory` must return a new model at every call. Received: "
                f"{model!r}, with weights of the model before, so that each arm would "
                "go on where the last one stopped. Build all layers in the factory."
            )
        return model


class OwnModel(Experiment):
    """No paper has numbers for it."""

    name = "compare"

    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        del arm
        return {}
