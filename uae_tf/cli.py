"""The command line: thin, one function per command."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import keras
import tensorflow as tf
import typer
from rich.console import Console
from rich.markup import escape

from . import datasets as data_sets
from .commands.attacks import AttackName, build_attack
from .commands.choices import Norm, Preset, SimilarityName, Target, names_in
from .commands.contrast import contrast_command
from .commands.generate import generate_command
from .commands.options import (
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
from .commands.reproduce import reproduce_command
from .commands.select import select_command
from .commands.semi_supervised import semi_supervised_command
from .commands.show import show
from .commands.supervised import supervised_command
from .experiments.reconstruction import reconstruct
from .experiments.settings import ARMS, CONVENTIONAL, EXTRA_ARMS, ReconstructionSettings
from .serving import export

app = typer.Typer(
    name="uae-tf",
    help="Unsupervised adversarial examples for Keras: attack, augment, verify.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
datasets_app = typer.Typer(help="Data sets the experiments know.", no_args_is_help=True)
app.add_typer(datasets_app, name="datasets")


class Model(StrEnum):
    """Kinds of autoencoders."""

    DENSE = "dense"
    SPARSE = "sparse"
    CONV = "conv"
    ADVERSARIAL = "adversarial"


class RecipeName(StrEnum):
    """Training recipes."""

    PAPER = "paper"
    MODERN = "modern"


@app.callback()
def _root() -> None:
    """Unsupervised adversarial examples for Keras: attack, augment, verify."""


@app.command("reconstruct")
def reconstruct_command(
    dataset: Annotated[
        str, typer.Option(help=f"One of: {', '.join(data_sets.names())}.")
    ] = "digits",
    data_dir: DataDir = None,
    model: Annotated[Model, typer.Option(help="Kind of autoencoder.")] = Model.DENSE,
    recipe: Annotated[
        RecipeName, typer.Option(help="Published training settings, or better ones.")
    ] = RecipeName.MODERN,
    samples: Samples = None,
    epochs: Epochs = None,
    seeds: Seeds = 3,
    arms: Annotated[
        str,
        typer.Option(help=f"Comma-separated. Further ones: {', '.join(EXTRA_ARMS)}."),
    ] = ",".join(ARMS),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; default runs/DATASET-MODEL."),
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
    source_model: Annotated[
        Model | None, typer.Option(help="Transfer: attack this kind instead.")
    ] = None,
    conventional: Annotated[
        str,
        typer.Option(help=f"For the further arms, some of {','.join(CONVENTIONAL)}."),
    ] = "flip,rotation",
    seed: Seed = 0,
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
    results = reconstruct(settings, out, resume, Console(stderr=True))
    show(results, out)


app.command("select")(select_command)
app.command("contrast")(contrast_command)
app.command("semisupervised")(semi_supervised_command)
app.command("supervised")(supervised_command)
app.command("reproduce")(reproduce_command)


@app.command("export")
def export_command(
    model: Annotated[
        Path, typer.Argument(help="A model saved by Keras, such as my_model.keras.")
    ],
    directory: Annotated[Path, typer.Argument(help="The repository.")] = Path("models"),
    name: Annotated[
        str | None, typer.Option(help="Of the model there; default the file's.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Default the next that is free.")
    ] = None,
    attack: Annotated[
        AttackName,
        typer.Option(help="Similarity of the attack to put in, or none at all."),
    ] = AttackName.NONE,
    preset: PresetOption = Preset.DEFAULT,
    steps: Steps = 40,
    norm: NormOption = Norm.L2,
    bounds: Annotated[
        tuple[float, float], typer.Option(help="Smallest and largest value of x.")
    ] = (0.0, 1.0),
    card: Annotated[
        Path | None,
        typer.Option(help="JSON file with description, data, licence, metrics ..."),
    ] = None,
    server_directory: Annotated[
        str, typer.Option(help="Where the server sees the repository.")
    ] = "/models",
) -> None:
    """Exports a saved Keras model, and an attack on it, for TF-Serving.

    Writes DIRECTORY/NAME/VERSION and lists the model in DIRECTORY/models.config. What
    is there is never overwritten. With --attack the server finds unsupervised
    adversarial examples itself: uae-tf export my.keras --attack gaussian
    """
    loaded: Any = keras.saving.load_model(model, compile=False)
    path = export(
        loaded,
        directory,
        name=model.stem if name is None else name,
        version=version,
        attack=build_attack(loaded, attack, preset, norm, steps=steps, bounds=bounds),
        card=None if card is None else json.loads(card.read_text(encoding="utf-8")),
        server_directory=server_directory,
    )
    typer.echo(path)


app.command("generate")(generate_command)


@datasets_app.command("list")
def datasets_list() -> None:
    """Lists the names that --dataset takes."""
    for name in data_sets.names():
        typer.echo(name)


@datasets_app.command("prepare")
def datasets_prepare(
    name: Annotated[
        str, typer.Argument(help="isolet, coil20, mice_protein or activity.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Folder with the set's files; default: download, where possible.",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Builds a data set that tensorflow-datasets does not have from its files.

    Every file is verified by its checksum first, and the set appears whole or not at
    all. Afterwards --dataset NAME and uae_tf.datasets.load("NAME") find it.
    """
    typer.echo(data_sets.prepare(name, source, data_dir))


def main() -> None:
    """Runs the command line; errors a user can mend are one line, not a traceback."""
    # TensorFlow warns of each new model's compilation, in the middle of the progress.
    tf.get_logger().setLevel("ERROR")
    try:
        app()
    except (ValueError, TypeError, OSError) as error:
        text = f"[red]Error:[/red] {escape(str(error))}"
        Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
