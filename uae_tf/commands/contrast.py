"""`uae-tf contrast`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.contrast import ContrastSettings, contrast
from ..experiments.contrast.settings import ARMS
from . import options
from .choices import Preset, SimilarityName, names_in
from .show import show


class RecipeName(StrEnum):
    """How long and how large encoders are trained."""

    QUICK = "quick"
    PAPER = "paper"


class Precision(StrEnum):
    """What convolutions are computed in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def contrast_command(
    dataset: Annotated[
        str,
        typer.Option(
            help="Images: cifar10, svhn_cropped, digits; mnist and fashion_mnist with "
            "--side 14 or 28."
        ),
    ] = "cifar10",
    data_dir: options.DataDir = None,
    preset: Annotated[
        RecipeName, typer.Option(help="Size of everything: minutes, or the paper's.")
    ] = RecipeName.QUICK,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Training samples; default the preset's.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Over the augmented data; default the preset's."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Of the ResNet-18; default the preset's.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Samples per update, two views of each.")
    ] = None,
    side: Annotated[
        int | None, typer.Option(min=4, help="Average images down to this side.")
    ] = None,
    seeds: options.Seeds = 3,
    arms: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated, of: {', '.join(ARMS)}; or all. Default: some of "
            "them for quick, all for paper."
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default runs/contrast-DATASET."),
    ] = None,
    resume: options.Resume = False,
    workers: options.Workers = 0,
    start: Annotated[
        Preset, typer.Option(help="Start noise of the attack and its multiplier.")
    ] = Preset.DEFAULT,
    similarity: options.SimilarityOption = SimilarityName.MINE,
    similarity_weight: options.SimilarityWeight = 1.0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Iterations of the attack.")
    ] = None,
    views: Annotated[
        int | None, typer.Option(min=2, help="Augmentations per sample in an attack.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="bfloat16 where the processor has it.")
    ] = Precision.FLOAT32,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log trainings to OUT/tensorboard.")
    ] = False,
    seed: options.Seed = 0,
) -> None:
    """Do UAEs improve contrastive learning? Measured against honest controls.

    Trains SimCLR encoders, finds unsupervised adversarial examples of their training
    images, trains anew with them and with every control for the same number of updates,
    and judges every encoder by a linear head and by nearest neighbours. Writes
    results.json, report.html and figures.

    With no option it takes 4,096 images of CIFAR-10 at half their size and some arms;
    the paper's recipe, --preset paper, wants a GPU.
    """
    settings = ContrastSettings(
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        samples=samples,
        epochs=epochs,
        seeds=seeds,
        arms=ARMS if arms == "all" else names_in(arms),
        preset=start.value,
        similarity=similarity.value,
        similarity_weight=similarity_weight,
        steps=steps,
        seed=seed,
        recipe_name=preset.value,
        width=width,
        batch_size=batch_size,
        side=side,
        num_views=views,
        precision=precision.value,
        tensorboard=tensorboard,
    )
    out = out or Path("runs") / f"contrast-{dataset}"
    show(contrast(settings, out, resume, Console(stderr=True), workers), out)
