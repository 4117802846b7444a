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
from .experiment import semi_supervised
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
        noises: standard deviations of the circles' noise, one or more.
        out: holds a folder "noise-..." for each, and the picture of all.
        resume: as in :func:`semi_supervised`.
        console: as there.
        workers: as there.

    Returns:
        Folder -> what its results.json holds; an interruption leaves out the rest.

    Raises:
        ValueError: as :func:`semi_supervised`; no noise, or one twice.
    """
    if not noises or len(set(noises)) < len(noises):
        raise ValueError(
            f"`noise` must be one or more different numbers. Received: {tuple(noises)}"
        )
    found: dict[Path, dict[str, Any]] = {}
    panels = {}
    for noise in noises:
        folder = out / f"noise-{noise:g}"
        own = dataclasses.replace(settings, noise=noise)
        is_begun = (folder / "results.json").exists()
        results = semi_supervised(own, folder, resume and is_begun, console, workers)
        found[folder] = results
        panels[f"noise {noise:g}"] = Pictures(folder / FIGURES).panels(results, own)
        if not results["complete"]:
            break
    if any(panels.values()):
        buffer = io.BytesIO()
        decision_boundaries(panels).savefig(buffer, format="png", dpi=160)
        write_atomic(out / PICTURE, buffer.getvalue())
    return found
