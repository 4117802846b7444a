"""The experiment on a model and data of one's own."""

from __future__ import annotations

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
from .experiment import Experiment
from .report import arms_table, to_rich
from .resumable_run import REPORT, check_folder
from .seed_run import Bench
from .settings import ARMS, ExperimentSettings


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
        model_factory: returns a new, built, compiled and untrained model whose output
            has the shape of its input.
        x_train: ``(N, *shape)`` floating point in [0, 1].
        x_test: ``(M, *shape)``, samples that nothing is chosen by.
        epochs: passes over the augmented data, 2 N samples.
        batch_size: samples an update.
        arms: what is compared; see ``uae_tf.experiments.settings.ARMS``.
        out: folder for results.json, report.html and figures.
        resume: go on from the jobs in ``out`` instead of starting anew.
        name: of the data, for the report.
        console: where progress is drawn; a terminal by default.
        **settings: of :class:`~uae_tf.experiments.settings.ExperimentSettings`: seeds
            (3), preset ("strong"), similarity, steps, target, copies, rounds, ...

    Returns:
        A :class:`Comparison`.

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
    samples = []
    for label, x in (("x_train", x_train), ("x_test", x_test)):
        x = np.asarray(x)
        try:
            check_samples(x, (0.0, 1.0))
        except (TypeError, ValueError) as error:
            # The arms attack within [0, 1] alone.
            text = str(error).replace(", or pass bounds=(low, high) to the attack", "")
            raise type(error)(text.replace("`x`", f"`{label}`", 1)) from None
        samples.append(x.astype(np.float32))
    data = Dataset(
        samples[0],
        np.zeros(len(samples[0]), np.int64),
        samples[1],
        np.zeros(len(samples[1]), np.int64),
        name,
    )
    chosen = ExperimentSettings(
        dataset=name, epochs=epochs, arms=tuple(arms), **settings
    )
    bench = OwnModelBench(chosen, data, model_factory, batch_size)
    experiment = OwnModel(chosen, bench, folder, resume, console or Console())
    return Comparison(experiment.run(), folder)


class OwnModelBench(Bench):
    """Models from a factory that is not ours."""

    def __init__(
        self,
        settings: ExperimentSettings,
        data: Dataset,
        model_factory: Callable[[], keras.Model],
        batch_size: int,
    ) -> None:
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(
                "`batch_size` must be a whole number, at least 1. "
                f"Received: {batch_size!r}"
            )
        model = model_factory()
        if not (isinstance(model, keras.Model) and model.built and model.compiled):
            raise ValueError(
                "`model_factory` must return a built and compiled keras.Model. "
                f"Received: {model!r}. Give it a keras.Input, or call it once, and "
                "call model.compile(optimizer, loss)."
            )
        self._factory = model_factory
        self._batch_size = batch_size
        super().__init__(settings, data, model.name, model.name)
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
        return self._factory

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
            "parameters": self.judge.model.count_params(),
        }


class OwnModel(Experiment):
    """No paper has numbers for it."""

    name = "compare"

    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        del arm
        return {}
