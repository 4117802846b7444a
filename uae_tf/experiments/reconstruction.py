"""The paper's first experiment, with controls: do UAEs improve an autoencoder?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from . import summary
from .experiment import Experiment
from .resumable_run import REPORT, RESULTS, check_folder
from .seed_run import ReconstructionBench
from .settings import ReconstructionSettings

__all__ = ["REPORT", "RESULTS", "reconstruct"]


def reconstruct(
    settings: ReconstructionSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Trains, attacks and retrains all arms, and writes results and report.

    Each finished job (one arm, one seed) is written to ``out/results.json`` at once.
    An interruption loses the job it interrupts and no other.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.
        workers: processes that share the seeds, each with its share of the cores; 0:
            this one has them all.

    Returns:
        What results.json holds; ``complete`` is False after an interruption.

    Raises:
        ValueError: settings, data or a folder that do not fit; nothing has been
            trained or written then.

    Cost:
        ``seeds x arms`` trainings, five more to choose the noise of gaussian_tuned, and
        one attack on all samples per seed and attacking arm.

    Reference:
        Hsu et al., AAAI 2022, Table 4; SPEC 4.12, 4.15, 4.19, 11.
    """
    check_folder(out)
    bench = ReconstructionBench.load(settings)
    return Reconstruct(
        settings, bench, out, resume, console or Console(), workers
    ).run()


class Reconstruct(Experiment):
    """Autoencoders of the paper's Table 4."""

    name = "reconstruct"
    settings: ReconstructionSettings

    def paper_numbers(self, arm: str) -> dict[str, float | None]:
        return {"paper": summary.paper_error(self.settings, arm)}
