"""`uae-tf reconstruct`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .. import datasets
from ..experiments.reconstruction import reconstruct
from ..experiments.settings import (
    ARMS,
    CONVENTIONAL,
    EXTRA_ARMS,
    ReconstructionSettings,
)
from . import options
from .choices import (
    Bound,
    Norm,
    Preset,
    RecipeName,
    SimilarityName,
    Target,
    Views,
    names_in,
)
from .show import show

#: All but the circles, whose points do not lie in [0, 1], where the arms' examples do.
DATASETS = tuple(name for name in datasets.names() if name != "circles")


class Model(StrEnum):
    """Kinds of autoencoders."""

    DENSE = "dense"
    SPARSE = "sparse"
    CONV = "conv"
    ADVERSARIAL = "adversarial"


def reconstruct_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(DATASETS)}.")
    ] = "digits",
    data_dir: options.DataDir = None,
    model: Annotated[Model, typer.Option(help="Kind of autoencoder.")] = Model.DENSE,
    recipe: Annotated[
        RecipeName, typer.Option(help="Published training settings, or better ones.")
    ] = RecipeName.MODERN,
    samples: options.Samples = None,
    epochs: options.Epochs = None,
    seeds: options.Seeds = 3,
    arms: Annotated[
        str,
        typer.Option(help=f"Comma-separated. Further ones: {', '.join(EXTRA_ARMS)}."),
    ] = ",".join(ARMS),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default runs/DATASET-MODEL."),
    ] = None,
    resume: options.Resume = False,
    workers: options.Workers = 0,
    preset: options.PresetOption = Preset.STRONG,
    similarity: options.SimilarityOption = SimilarityName.MINE,
    similarity_weight: options.SimilarityWeight = 1.0,
    views: options.ViewsOption = Views.AUTO,
    bound: options.BoundOption = Bound.DONSKER_VARADHAN,
    norm: options.NormOption = Norm.L2,
    steps: options.Steps = 40,
    target: options.TargetOption = Target.SELF,
    copies: options.Copies = 1,
    rounds: options.Rounds = 1,
    source_model: Annotated[
        Model | None, typer.Option(help="Transfer: attack this kind instead.")
    ] = None,
    conventional: Annotated[
        str,
        typer.Option(help=f"For the further arms, some of {','.join(CONVENTIONAL)}."),
    ] = "flip,rotation",
    seed: options.Seed = 0,
) -> None:
    """Do UAEs improve an autoencoder on your data? Measured against honest controls.

    Trains an autoencoder, finds unsupervised adversarial examples of its training data,
    retrains from scratch with them and with every control for the same number of
    updates, and says whether they help. Writes results.json, report.html and figures.

    With no option it runs on scikit-learn's digits, in about two minutes. For a quick
    look at MNIST: uae-tf reconstruct --dataset mnist --samples 2000 --epochs 20
    """
    settings = ReconstructionSettings(
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        model=model.value,
        recipe=recipe.value,
        samples=samples,
        epochs=epochs,
        seeds=seeds,
        arms=names_in(arms),
        preset=preset.value,
        similarity=similarity.value,
        similarity_weight=similarity_weight,
        views=views.value,
        bound=bound.value,
        norm=norm.value,
        steps=steps,
        target=target.value,
        copies=copies,
        rounds=rounds,
        source_model=None if source_model is None else source_model.value,
        conventional=names_in(conventional),
        seed=seed,
    )
    out = out or Path("runs") / f"{dataset}-{model.value}"
    results = reconstruct(settings, out, resume, Console(stderr=True), workers)
    show(results, out)
