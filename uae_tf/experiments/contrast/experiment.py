"""The paper's third experiment, with controls: do UAEs improve contrastive learning?"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ... import datasets
from ...datasets import Dataset
from .. import summary
from ..experiment import Experiment
from ..report.contrast import five_epoch_means
from ..resumable_run import check_folder
from .bench import ContrastBench
from .pictures import ContrastPictures
from .run import ContrastRun
from .settings import RECIPES, ContrastSettings

#: Table 5 of the paper: linear accuracy and success rate (SPEC 6.8).
PAPER = {"original": (0.9130, None), "mine_uae": (0.9288, 1.0)}
#: Points by which training must lift an encoder to have been one.
LEAST_GAIN = 15.0
_CURVES = ("loss_curve", "knn_curve", "robustness_curve")
_MEANINGS = {
    "test_error": "Share of test samples that a linear head on the frozen encoder "
    "(Keras, 100 epochs) does not give their class, mean ± standard deviation over "
    "seeds. Lower is better; the lowest is bold.",
    "accuracy": "Of the same linear head.",
    "train_error": "The same on the training samples.",
    "success_rate": "Share of samples whose loss does not rise, on augmentations that "
    "the attack has not seen.",
    "relative_loss_change": "Mean relative change of a sample's contrastive loss from "
    "x to x+δ, on augmentations that the attack has not seen.",
}


def contrast(
    settings: ContrastSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Trains contrastive encoders with and without UAEs, and writes the report.

    As :func:`uae_tf.experiments.reconstruction.reconstruct`, with SimCLR on a
    ResNet-18: examples are found against the encoder of the arm "original" by
    :class:`~uae_tf.Contrastive`, added to the images, and a new encoder is trained from
    scratch. Encoders are judged by a linear head, by their nearest neighbours and by
    logistic regression; labels play no part before that.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out``, and from the last epoch of a training.
        console: where progress is drawn.
        workers: processes that share the seeds, each with its share of the cores; 0:
            this one has them all.

    Returns:
        What results.json holds; ``complete`` is False after an interruption.

    Raises:
        ValueError: settings, data or a folder that do not fit; nothing has been
            trained or written then.
        FileNotFoundError: the data set is not prepared.

    Reference:
        Hsu et al., AAAI 2022, section 4.6 and Table 5; SPEC 2.6, 2.7, 6.
    """
    check_folder(out)
    settings, data = _loaded(settings)
    bench = ContrastBench(settings, data)
    return Contrast(settings, bench, out, resume, console or Console(), workers).run()


class Contrast(Experiment):
    """Contrastive encoders of the paper's Table 5."""

    name = "contrast"
    seed_run = ContrastRun
    pictures_type = ContrastPictures
    statistics = (
        "accuracy",
        "knn_accuracy",
        "logistic_accuracy",
        "contrastive_loss",
        "head_cross_entropy",
    )
    settings: ContrastSettings
    bench: ContrastBench

    def prepare(self) -> None:
        super().prepare()
        if not self.is_resumed:
            shutil.rmtree(self.out / "backup", ignore_errors=True)

    def holds_work(self, saved: Mapping[str, Any]) -> bool:
        epochs_of_a_training = any((self.out / "backup").glob("*"))
        return epochs_of_a_training or super().holds_work(saved)

    def paper_numbers(self, arm: str) -> dict[str, Any]:
        is_papers = self.settings.dataset == "cifar10"
        accuracy, success = PAPER.get(arm, (None, None)) if is_papers else (None, None)
        return {
            "paper_accuracy": accuracy,
            "paper_success_rate": success,
            # What the curves are drawn from: lists, no numbers of the table.
            "curves": [
                {name: entry[name] for name in _CURVES if name in entry}
                for entry in self.runs.get(arm, {}).values()
            ],
        }

    def further_results(self) -> dict[str, Any]:
        return {
            "error_unit": "%",
            "column_meanings": _MEANINGS,
            "training": training_check(self.runs),
        }

    def notes(self) -> list[str]:
        settings, data = self.settings, self.bench.data
        is_tuned = "gaussian_tuned" in settings.arms
        chooses = "and, held-out training labels, to choose the noise of gaussian_tuned"
        found = [
            f"{len(data.x_train)} training and {len(data.x_test)} test images of "
            f"{data.sample_shape[0]}x{data.sample_shape[1]} pixels; an epoch is a pass "
            "over two samples for one, so the arms original and clae see each image "
            "twice in it. clae adds no images but a third, adversarial view.",
            f"Labels were used to judge encoders{f' {chooses}' if is_tuned else ''}; "
            "never to train or to attack.",
            *_training_notes(training_check(self.runs)),
        ]
        found += super().notes()[: 1 if self.tuning else 0]
        if settings.dataset == "cifar10":
            found.append(
                "CIFAR-10 may be a JPEG copy, depending on the folder it is in: "
                "accuracies can lie a little below those of lossless images."
            )
            found.append(
                "The paper's numbers are of 1,000 epochs and more at width 64, and its "
                "arm with UAEs had three times the updates (SPEC 2.7.2)."
            )
        judged = summary.judge(settings, self.runs, "knn_error")
        if judged:
            found.append(
                f"Of the neighbours' error in the place of the linear head's: "
                f"{judged['sentence']}"
            )
        return found


def _loaded(settings: ContrastSettings) -> tuple[ContrastSettings, Dataset]:
    """The data, all of them if they are fewer than the recipe would like."""
    name, folder = settings.dataset, settings.data_dir
    try:
        return settings, datasets.load(name, folder, settings.samples)
    except ValueError:
        if settings.samples != RECIPES[settings.recipe_name].samples:
            raise
        data = datasets.load(name, folder)
        return dataclasses.replace(settings, samples=len(data.x_train)), data


def training_check(runs: summary.Runs) -> dict[str, Any]:
    """Whether training did what it should, on the arm "original" and its seeds.

    Args:
        runs: arm -> seed -> numbers.

    Returns:
        ``gains``: seed -> points of accuracy over the untrained encoder, by linear head
        and by neighbours; ``is_loss_falling``: seed -> whether each five-epoch mean of
        the loss is below the one before, for seeds with two such means;
        ``is_knn_rising``: whether each accuracy of the neighbours during training,
        averaged over seeds, is above the one before; None without two of them.
    """
    trained, untrained = runs.get("original", {}), runs.get("untrained", {})
    shared = [seed for seed in trained if seed in untrained]
    curves = [e["knn_curve"] for e in trained.values() if e.get("knn_curve")]
    means = np.mean([[a for _, a in c] for c in curves], axis=0) if curves else []
    losses = {
        seed: five_epoch_means(entry["loss_curve"])
        for seed, entry in trained.items()
        if entry.get("loss_curve")
    }
    return {
        "gains": {
            seed: {
                name: 100.0 * (trained[seed][name] - untrained[seed][name])
                for name in ("accuracy", "knn_accuracy")
                if None not in (trained[seed].get(name), untrained[seed].get(name))
            }
            for seed in shared
        },
        "is_loss_falling": {
            seed: bool(np.all(np.diff(found) < 0.0))
            for seed, found in losses.items()
            if len(found) > 1
        },
        "is_knn_rising": bool(np.all(np.diff(means) > 0.0)) if len(means) > 1 else None,
    }


def _training_notes(check: dict[str, Any]) -> list[str]:
    gains, falling = check["gains"], check["is_loss_falling"]
    least = {
        name: min(gain[name] for gain in gains.values())
        for name in ("accuracy", "knn_accuracy")
        if gains and all(name in gain for gain in gains.values())
    }
    if len(least) < 2:
        return []
    verb = "reach" if min(least.values()) >= LEAST_GAIN else "do not reach"
    sentences = [
        "Did training work? Over the untrained encoder the arm original gains at least "
        f"{least['accuracy']:.1f} points by the linear head and "
        f"{least['knn_accuracy']:.1f} by neighbours (smallest of {len(gains)} seeds), "
        f"which {verb} the {LEAST_GAIN:.0f} that we ask for."
    ]
    # Of a short training there is nothing to say.
    if falling:
        sentences.append(
            "Its loss falls from each five epochs to the next with "
            f"{sum(falling.values())} of {len(falling)} seeds."
        )
    if check["is_knn_rising"] is not None:
        verb = "rises" if check["is_knn_rising"] else "does not rise"
        sentences.append(
            f"The neighbours' accuracy, averaged over seeds, {verb} from each check to "
            "the next."
        )
    return [" ".join(sentences)]
