"""Results of an experiment on the terminal."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from ..experiments.resumable_run import REPORT, RESULTS


def show(results: dict, out: Path) -> None:
    """Prints what an experiment found, and where the rest of it is.

    Raises:
        typer.Exit: with code 130, after an interruption.
    """
    from ..experiments.report import (
        ESSENTIAL,
        arms_table,
        baselines_table,
        fits,
        to_rich,
    )

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        # A pipe has no width; the usual guess of 80 would leave out half of the table.
        console.width = max(console.width, 132)
    table = arms_table(results)
    if not fits(table, console.width):
        table = arms_table(results, ESSENTIAL)
    console.print(to_rich(table, console.width))
    baselines = baselines_table(results)
    if baselines:
        console.print(to_rich(baselines, console.width))
    for sentence in results.get("findings") or ():
        console.print(sentence)
    if results["verdict"]:
        console.print(results["verdict"]["sentence"])
    if not results["complete"]:
        text = f"Interrupted. Go on with the same command and --resume ({out})."
        console.print(text, soft_wrap=True)
        raise typer.Exit(130)
    text = f"Results: {out / RESULTS}  Report: {out / REPORT}"
    console.print(text, soft_wrap=True)
