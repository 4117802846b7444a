"""`uae-tf select`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.selection import select
from ..experiments.selection_settings import RECIPES, SelectionSettings
from ..experiments.settings import ARMS
from .choices import Norm, Preset, SimilarityName, Target, names_in
from .show import show

_DEFAULTS = SelectionSettings()


def select_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(RECIPES)}.")
    ] = "mice_protein",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of prepared data; default TFDS_DATA_DIR, then TFDS's."
        ),
    ] = None,
    features: Annotated[
        int | None,
        typer.Option(min=1, help="How many to select; default 50, few features 10."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Training samples; default all.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Epochs over the augmented data; default the recipe's."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 3,
    arms: Annotated[
        str, typer.Option(help=f"Comma-separated, of: {', '.join(ARMS)}.")
    ] = ",".join(_DEFAULTS.arms),
    baselines: Annotated[
        bool, typer.Option(help="Measure methods without a network, too.")
    ] = True,
    legacy: Annotated[
        bool,
        typer.Option("--legacy", help="Preprocess as published, the test split seen."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default runs/select-DATASET."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    preset: Annotated[
        Preset, typer.Option(help="Start noise of the attack and its multiplier.")
    ] = Preset.STRONG,
    similarity: Annotated[
        SimilarityName,
        typer.Option(help="MINE, or its closed form for Gaussian views."),
    ] = SimilarityName.MINE,
    similarity_weight: Annotated[
        float, typer.Option(help="Factor of the similarity against the criterion.")
    ] = 1.0,
    norm: Annotated[
        Norm, typer.Option(help="Of the criterion: the paper's, or the code's.")
    ] = Norm.L2,
    steps: Annotated[int, typer.Option(min=1, help="Iterations of the attack.")] = 40,
    target: Annotated[
        Target, typer.Option(help="What an augmented sample is reconstructed as.")
    ] = Target.SELF,
    copies: Annotated[
        int, typer.Option(min=1, help="Augmented copies per sample and round.")
    ] = 1,
    rounds: Annotated[
        int, typer.Option(min=1, help="Each round attacks the model of the last.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the first repetition.")] = 0,
) -> None:
    """Do UAEs help to select features? Measured against honest controls.

    Trains a concrete autoencoder, which selects the features that tell most of the
    others; finds unsupervised adversarial examples of its training data; selects anew
    with them and with every control for the same number of updates. Every selection is
    judged by its decoder, by a linear regression and by a classifier, beside methods
    that need no network. Writes results.json, report.html and figures.

    Prepare the data first: uae-tf datasets prepare mice_protein --from FOLDER
    """
    settings = SelectionSettings(
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        features=features,
        samples=samples,
        epochs=epochs,
        seeds=seeds,
        arms=names_in(arms),
        baselines=baselines,
        legacy=legacy,
        preset=preset.value,
        similarity=similarity.value,
        similarity_weight=similarity_weight,
        norm=norm.value,
        steps=steps,
        target=target.value,
        copies=copies,
        rounds=rounds,
        seed=seed,
    )
    out = out or Path("runs") / f"select-{dataset}"
    show(select(settings, out, resume, Console(stderr=True)), out)
