"""`uae-tf semisupervised`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.semi_supervised import (
    SemiSupervisedSettings,
    semi_supervised,
    semi_supervised_circles,
)
from ..experiments.semi_supervised.arms import METHODS
from ..experiments.semi_supervised.protocols import PROTOCOLS
from ..experiments.semi_supervised.settings import DEFAULT_METHODS, SLIDES_METHODS
from . import options
from .choices import names_in, numbers_in
from .show import show


class Placement(StrEnum):
    """Which points of the circles have a label."""

    EVEN = "even"
    RANDOM = "random"


def semi_supervised_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(PROTOCOLS)}.")
    ] = "circles",
    data_dir: options.DataDir = None,
    labels: Annotated[
        int | None, typer.Option(min=1, help="Labelled samples in all.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help=f"Comma-separated: {', '.join(METHODS)}; or with the setting fixed, "
            "such as vat_0.1 or generator_1.0. Default all but the last entmin, and "
            "for circles the slides' fixed ones."
        ),
    ] = None,
    samples: options.Samples = None,
    updates: Annotated[
        int | None, typer.Option(min=1, help="Of every arm; default the data set's.")
    ] = None,
    validation: Annotated[
        int | None, typer.Option(min=1, help="Samples held out to choose settings on.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Repetitions; default 3, circles 10.")
    ] = None,
    choice_seeds: Annotated[
        int, typer.Option(min=1, help="Seeds that the settings are chosen by.")
    ] = 3,
    noise: Annotated[
        str, typer.Option(help="Of the circles, comma-separated.")
    ] = "0.01,0.06",
    factor: Annotated[float, typer.Option(help="Radius of the inner circle.")] = 0.8,
    placement: Annotated[
        Placement, typer.Option(help="Labelled points of the circles.")
    ] = Placement.EVEN,
    labelled_batch: Annotated[
        int | None, typer.Option(min=1, help="Labelled samples per update.")
    ] = None,
    unlabelled_batch: Annotated[
        int | None, typer.Option(min=1, help="Unlabelled samples per update.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=12, help="Colour images are averaged down to; default 16, published 32."
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of the classifier of colour images; default 16, published 128."
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Of that classifier; default 0.2, published 0.5."),
    ] = None,
    epsilon_grid: Annotated[
        str,
        typer.Option(help="Lengths to choose VAT's and the bounded generator's from."),
    ] = "",
    lambda_grid: Annotated[
        str, typer.Option(help="Factors to choose the generator's from.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder; default runs/semisupervised-DATASET. Of the circles, with "
            "one for each noise in it."
        ),
    ] = None,
    resume: options.Resume = False,
    workers: options.Workers = 0,
    seed: options.Seed = 0,
) -> None:
    """Few labels, many samples: does a generator of adversarial examples beat VAT?

    Trains a classifier with few labels by each method for the same number of updates,
    chooses each method's setting on validation samples, and says what helps. Writes
    results.json, report.html and figures.

    With no option it runs the slides' two circles at both noises. For images:
    uae-tf semisupervised --dataset mnist --labels 1000
    """
    is_circles = dataset == "circles"
    settings = SemiSupervisedSettings(
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        methods=_methods(methods, is_circles),
        labels=labels,
        updates=updates,
        samples=samples,
        validation=validation,
        seeds=seeds or (10 if is_circles else 3),
        choice_seeds=choice_seeds,
        factor=factor,
        placement=placement.value,
        labelled_batch=labelled_batch,
        unlabelled_batch=unlabelled_batch,
        side=side,
        width=width,
        dropout=dropout,
        epsilon_grid=numbers_in("epsilon-grid", epsilon_grid),
        lambda_grid=numbers_in("lambda-grid", lambda_grid),
        seed=seed,
    )
    out = out or Path("runs") / f"semisupervised-{dataset}"
    console = Console(stderr=True)
    if is_circles:
        noises = numbers_in("noise", noise)
        found = semi_supervised_circles(settings, noises, out, resume, console, workers)
    else:
        found = {out: semi_supervised(settings, out, resume, console, workers)}
    for folder, results in found.items():
        if len(found) > 1:
            typer.echo(f"\n{folder.name}")
        show(results, folder)


def _methods(text: str | None, is_circles: bool) -> tuple[str, ...]:
    if text is None:
        return DEFAULT_METHODS + (SLIDES_METHODS if is_circles else ())
    return names_in(text)
