"""`uae-tf supervised`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.supervised import SupervisedSettings, supervised
from ..experiments.supervised.settings import DATASETS
from . import options
from .choices import RecipeName, numbers_in
from .show import show


class TableName(StrEnum):
    """Tables of the supervised experiments."""

    MINMAX_VS_PENALTY = "minmax-vs-penalty"
    EPSILON_SWEEP = "epsilon-sweep"
    QUALITY = "quality"
    ROBUST = "robust"


class Marginals(StrEnum):
    """Marginal pairs of the attacks' MINE."""

    ALL = "all"
    SHUFFLE = "shuffle"


_DEFAULTS = SupervisedSettings()


def supervised_command(
    table: Annotated[
        TableName, typer.Option(help="Which question.")
    ] = TableName.MINMAX_VS_PENALTY,
    dataset: Annotated[
        str | None,
        typer.Option(help=f"One of: {', '.join(DATASETS)}; default the table's."),
    ] = None,
    data_dir: options.DataDir = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            help="A .keras file or a version such as models/mnist_classifier/1; "
            "default: train one."
        ),
    ] = None,
    recipe: Annotated[
        RecipeName, typer.Option(help="Where one is trained.")
    ] = RecipeName.MODERN,
    robust_classifier: Annotated[
        str | None, typer.Option(help="Likewise, of the table robust.")
    ] = None,
    robust_epochs: Annotated[
        int, typer.Option(min=1, help="Of its adversarial training.")
    ] = _DEFAULTS.robust_epochs,
    robust_samples: Annotated[
        int | None, typer.Option(min=1, help="Training images of it; default all.")
    ] = None,
    extractor: Annotated[
        str | None, typer.Option(help="Likewise: whose features quality measures in.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Images attacked; default the table's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Iterations; default the table's.")
    ] = None,
    search_steps: Annotated[
        int, typer.Option(min=1, help="Descents of the penalty method.")
    ] = _DEFAULTS.search_steps,
    inner_steps: Annotated[
        int, typer.Option(min=1, help="Of the critic at each iteration.")
    ] = _DEFAULTS.inner_steps,
    marginals: Annotated[
        Marginals,
        typer.Option(help="Of MINE: all pairs, or one permutation."),
    ] = Marginals.ALL,
    epsilon: Annotated[
        float, typer.Option(help="Bound on every entry of the perturbation.")
    ] = _DEFAULTS.epsilon,
    epsilons: Annotated[
        str, typer.Option(help="Bounds of epsilon-sweep, comma-separated.")
    ] = ",".join(f"{e:g}" for e in _DEFAULTS.epsilons),
    runs: Annotated[
        int, typer.Option(min=1, help="Repetitions of quality.")
    ] = _DEFAULTS.runs,
    projections: Annotated[
        int, typer.Option(min=2, help="K of its random-sampling views.")
    ] = _DEFAULTS.projections,
    chunk: Annotated[
        int, typer.Option(min=1, help="Images attacked at once.")
    ] = _DEFAULTS.chunk,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default runs/supervised-TABLE-DATASET.")
    ] = None,
    resume: options.Resume = False,
    seed: options.Seed = 0,
) -> None:
    """Attacks on a classifier that keep the image: MinMax, penalty method, PGD.

    minmax-vs-penalty: which finds more similar adversarial examples in equally many
    iterations. epsilon-sweep: pictures and numbers as the bound grows, beside PGD.
    quality: which views of MINE give images nearer to the data. robust: the attacks
    against an adversarially trained classifier. Writes results.json, report.html and
    figures.

    For a quick look, without a download: uae-tf supervised --dataset digits
    --samples 50 --steps 90
    """
    settings = SupervisedSettings(
        table=table.value,
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        classifier=classifier,
        recipe=recipe.value,
        robust_classifier=robust_classifier,
        robust_epochs=robust_epochs,
        robust_samples=robust_samples,
        extractor=extractor,
        samples=samples,
        steps=steps,
        search_steps=search_steps,
        inner_steps=inner_steps,
        marginals=marginals.value,
        epsilon=epsilon,
        epsilons=numbers_in("epsilons", epsilons),
        runs=runs,
        projections=projections,
        chunk=chunk,
        seed=seed,
    )
    out = out or Path("runs") / f"supervised-{table.value}-{settings.dataset}"
    show(supervised(settings, out, resume, Console(stderr=True)), out)
