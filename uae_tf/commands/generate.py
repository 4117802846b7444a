"""`uae-tf generate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import keras
import typer
from rich.console import Console

from .. import generation
from . import options
from .attacks import AttackName, build_attack
from .choices import Norm, Preset


class Sink(StrEnum):
    """Kinds of shards."""

    NPZ = "npz"
    TFRECORD = "tfrecord"


class Check(StrEnum):
    """What a file must pass to be kept when a run goes on."""

    CHECKSUM = "checksum"
    SIZE = "size"


def generate_command(
    model: Annotated[
        Path | None, typer.Option(help="The attacked model, saved by Keras: X.keras.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="An .npy, .npz or .tfrecord file, a folder of images or TFRecords, a "
            "data set (mnist, mnist/test), or module:function, which returns a "
            "tf.data.Dataset of single samples."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the shards; seen by all workers.")
    ] = None,
    attack: Annotated[
        AttackName, typer.Option(help="Similarity of the attack.")
    ] = AttackName.MINE,
    preset: options.PresetOption = Preset.DEFAULT,
    steps: options.Steps = 40,
    norm: options.NormOption = Norm.L2,
    bounds: Annotated[
        tuple[float, float],
        typer.Option(help="Smallest and largest value; 8-bit data is scaled to them."),
    ] = (0.0, 1.0),
    seed: Annotated[int, typer.Option(min=0, help="Of all randomness.")] = 0,
    shard_size: Annotated[int, typer.Option(min=1, help="Samples per file.")] = 1024,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Samples per compiled call.")
    ] = 256,
    sink: Annotated[Sink, typer.Option(help="Kind of the files.")] = Sink.NPZ,
    workers: Annotated[
        int,
        typer.Option(min=0, help="Processes; 0: this one. On Ray, actors; 0: all."),
    ] = 0,
    ray: Annotated[
        str | None,
        typer.Option(
            help="'local' for a Ray of its own, 'auto' or an address for a cluster."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out.")
    ] = False,
    check: Annotated[
        Check, typer.Option(help="What finished files must pass on --resume.")
    ] = Check.CHECKSUM,
    data_dir: options.DataDir = None,
    status: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only say how far the run there has come."),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Only read the run there again; f too, with --model and --data.",
        ),
    ] = None,
) -> None:
    """Attacks any number of samples, in files that survive whatever happens.

    Killed, it goes on by the same command with --resume, on as many workers as you
    like; the files are those of an undisturbed run. SIGTERM and Ctrl-C let the shards
    in work be finished.

    uae-tf generate --model my.keras --data x.npy --out run --workers 4
    """
    if status is not None:
        typer.echo(generation.status(status))
        return
    if verify is not None:
        found = generation.verify(verify, model, data, data_dir=data_dir)
        typer.echo(found)
        raise typer.Exit(0 if found.is_sound else 1)
    given = {"--model": model, "--data": data, "--out": out}
    missing = [option for option, value in given.items() if value is None]
    if missing:
        raise ValueError(
            f"{', '.join(missing)} missing. A run needs --model, --data and --out; "
            "--status and --verify need a folder."
        )
    loaded: Any = keras.saving.load_model(model, compile=False, safe_mode=True)
    built = build_attack(
        loaded, attack, preset, norm, steps=steps, bounds=bounds, seed=seed
    )
    if built is None:
        raise ValueError("`--attack none` leaves nothing to generate.")
    done = generation.generate(
        built,
        data,
        out,
        shard_size=shard_size,
        batch_size=batch_size,
        sink=sink.value,
        workers=workers,
        ray=ray,
        resume=resume,
        check=check.value,
        data_dir=data_dir,
        progress=Console(stderr=True).is_terminal,
    )
    typer.echo(done)
    if not done.is_complete:
        typer.echo("Stopped. Go on with the same command and --resume.")
