"""The command line: thin, one function per command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import keras
import tensorflow as tf
import typer
from rich.console import Console
from rich.markup import escape

from . import datasets as data_sets
from .commands import options
from .commands.attacks import AttackName, build_attack
from .commands.choices import Norm, Preset
from .commands.contrast import contrast_command
from .commands.generate import generate_command
from .commands.reconstruct import reconstruct_command
from .commands.reproduce import reproduce_command
from .commands.select import select_command
from .commands.semi_supervised import semi_supervised_command
from .commands.supervised import supervised_command
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


@app.callback()
def _root() -> None:
    """Unsupervised adversarial examples for Keras: attack, augment, verify."""


app.command("reconstruct")(reconstruct_command)
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
    preset: options.PresetOption = Preset.DEFAULT,
    steps: options.Steps = 40,
    norm: options.NormOption = Norm.L2,
    bounds: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Smallest and largest value of x; default 0 1, and 0 255 for a model "
            "whose input is of 8 bits.",
        ),
    ] = None,
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
    if attack == AttackName.NONE and norm != Norm.L2:
        raise ValueError(
            "--norm is of the attack and its score. Give --attack as well."
        )
    loaded: Any = keras.saving.load_model(model, compile=False)
    chosen = {} if bounds is None else {"bounds": bounds}
    path = export(
        loaded,
        directory,
        name=model.stem if name is None else name,
        version=version,
        attack=build_attack(loaded, attack, preset, norm, steps=steps, **chosen),
        bounds=bounds,
        card=None if card is None else json.loads(card.read_text(encoding="utf-8")),
        server_directory=server_directory,
    )
    typer.echo(path)


app.command("generate")(generate_command)


@datasets_app.command("list")
def datasets_list() -> None:
    """Lists the data sets that can be loaded; a command says which of them it takes."""
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
    data_dir: options.DataDir = None,
) -> None:
    """Builds a data set that tensorflow-datasets does not have from its files.

    Every file is verified by its checksum first, and the set appears whole or not at
    all. Afterwards --dataset NAME and uae_tf.datasets.load("NAME") find it, in the same
    --data-dir.
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
