"""The slides' case study: the two circles at several noises, one picture of all."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..report.semi_supervised import decision_boundaries
from ..resumable_run import FIGURES
from ..storage import write_atomic
from .experiment import prepared_run
from .pictures import Pictures
from .settings import SemiSupervisedSettings

PICTURE = "decision_boundaries.png"


def semi_supervised_circles(
    settings: SemiSupervisedSettings,
    noises: Sequence[float],
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> dict[Path, dict[str, Any]]:
    """Runs the experiment at each noise, and draws all decision boundaries together.

    Args:
        settings: of the experiment; their noise is replaced.
        noises: standard deviations of the circles' noise, one or more, that differ in
            their first six digits.
        out: holds a folder "noise-..." for each, and the picture of all.
        resume: as in :func:`semi_supervised`; a noise not begun with is begun.
        console: as there.
        workers: as there.

    Returns:
        Folder -> what its results.json holds; an interruption leaves out the rest.

    Raises:
        ValueError: as :func:`semi_supervised`; no noise, or one twice. Nothing has been
            trained or written then, at any noise.
    """
    # As the folders tell them apart.
    if not noises or len({f"{noise:g}" for noise in noises}) < len(noises):
        raise ValueError(
            f"`noise` must be one or more different numbers. Received: {tuple(noises)}"
        )
    runs = {}
    # All, before the first is trained: what is wrong with the last shows here.
    for noise in noises:
        own = dataclasses.replace(settings, noise=noise)
        folder = out / f"noise-{noise:g}"
        runs[noise] = own, prepared_run(own, folder, resume, console, workers)
    found: dict[Path, dict[str, Any]] = {}
    panels = {}
    console = console or Console()
    for number, (noise, (own, run)) in enumerate(runs.items(), start=1):
        if len(runs) > 1:
            # Jobs and time left, which follow, are of this noise alone.
            heading = f"Two circles, noise {noise:g} (set {number} of {len(runs)})"
            console.print(heading, highlight=False)
        results = run.run()
        found[run.out] = results
        panels[f"noise {noise:g}"] = Pictures(run.out / FIGURES).panels(results, own)
        if not results["complete"]:
            break
    if any(panels.values()):
        buffer = io.BytesIO()
        decision_boundaries(panels).savefig(buffer, format="png", dpi=160)
        write_atomic(out / PICTURE, buffer.getvalue())
    return found
