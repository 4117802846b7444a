"""`uae-tf select`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.selection import select
from ..experiments.selection_settings import RECIPES, SelectionSettings
from ..experiments.settings import ARMS
from . import options
from .choices import Bound, Norm, Preset, SimilarityName, Target, Views, names_in
from .show import show

_DEFAULTS = SelectionSettings()


def select_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(RECIPES)}.")
    ] = "mice_protein",
    data_dir: options.DataDir = None,
    features: Annotated[
        int | None,
        typer.Option(min=1, help="How many to select; default 50, few features 10."),
    ] = None,
    samples: options.Samples = None,
    epochs: options.Epochs = None,
    seeds: options.Seeds = 3,
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
    seed: options.Seed = 0,
) -> None:
    """Do UAEs help to select features? Measured against honest controls.

    Trains a concrete autoencoder, which selects the features that tell most of the
    others; finds unsupervised adversarial examples of its training data; selects anew
    with them and with every control for the same number of updates. Every selection is
    judged by its decoder, by a linear regression and by a classifier, beside methods
    that need no network. Writes results.json, report.html and figures.

    Prepare sets that are built from files first: uae-tf datasets prepare mice_protein
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
        views=views.value,
        bound=bound.value,
        norm=norm.value,
        steps=steps,
        target=target.value,
        copies=copies,
        rounds=rounds,
        seed=seed,
    )
    out = out or Path("runs") / f"select-{dataset}"
    show(select(settings, out, resume, Console(stderr=True), workers), out)
