"""`uae-tf reproduce`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..experiments.reproduce import TABLES, Reproduction, load_recipe
from ..experiments.reproduce.plan import plan_table
from ..experiments.resumable_run import REPORT
from . import options

# Made of the tables that there are, so that a new one needs no line here.
TableName = StrEnum(
    "TableName", {name.upper().replace("-", "_"): name for name in (*TABLES, "all")}
)


class ScaleName(StrEnum):
    """How large the experiments are."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


def reproduce_command(
    table: Annotated[
        TableName, typer.Option(help="Which of the papers' tables.")
    ] = TableName.ALL,
    scale: Annotated[
        ScaleName,
        typer.Option(
            help="quick: minutes, small real data. standard: what docs/RESULTS.md was "
            "made with. full: the papers' protocols."
        ),
    ] = ScaleName.QUICK,
    data_dir: options.DataDir = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all runs; default runs/reproduce-SCALE."),
    ] = None,
    recipes: Annotated[
        Path | None,
        typer.Option(help="Folder of your own TABLE-SCALE.toml; default ours."),
    ] = None,
    workers: options.Workers = 0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the plan, and do nothing.")
    ] = False,
) -> None:
    """Makes the papers' tables, with controls: a plan, the runs, and one report.

    Shows what it will do and how long that takes one process on two idle cores, then
    does it. What is done is never done again: after Ctrl-C, or with further tables, the
    same command goes on. Writes a folder for each run, and report.html with all tables,
    verdicts and pictures. The supervised tables have no use for --workers.
    """
    out = out or Path("runs") / f"reproduce-{scale.value}"
    wanted = TABLES if table is TableName.ALL else (table.value,)
    found = [load_recipe(name, scale.value, recipes) for name in wanted]
    folders = [name for name in TABLES if name not in wanted and (out / name).exists()]
    others = [load_recipe(name, scale.value, recipes) for name in folders]
    console = Console(stderr=True)
    data = None if data_dir is None else str(data_dir)
    reproduction = Reproduction(found, out, data, console, others, workers)
    Console(markup=False, highlight=False).print(plan_table(reproduction.plan()))
    if plan:
        return
    is_done = reproduction.run()
    typer.echo(f"Report: {out / REPORT}")
    if not is_done:
        typer.echo(f"Not all runs are done; the same command goes on ({out}).")
        raise typer.Exit(1)
