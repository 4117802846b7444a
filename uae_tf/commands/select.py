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
from .options import (
    Copies,
    DataDir,
    Epochs,
    NormOption,
    PresetOption,
    Resume,
    Rounds,
    Samples,
    Seed,
    Seeds,
    SimilarityOption,
    SimilarityWeight,
    Steps,
    TargetOption,
)
from .show import show

_DEFAULTS = SelectionSettings()


def select_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(RECIPES)}.")
    ] = "mice_protein",
    data_dir: DataDir = None,
    features: Annotated[
        int | None,
        typer.Option(min=1, help="How many to select; default 50, few features 10."),
    ] = None,
    samples: Samples = None,
    epochs: Epochs = None,
    seeds: Seeds = 3,
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
    resume: Resume = False,
    preset: PresetOption = Preset.STRONG,
    similarity: SimilarityOption = SimilarityName.MINE,
    similarity_weight: SimilarityWeight = 1.0,
    norm: NormOption = Norm.L2,
    steps: Steps = 40,
    target: TargetOption = Target.SELF,
    copies: Copies = 1,
    rounds: Rounds = 1,
    seed: Seed = 0,
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
