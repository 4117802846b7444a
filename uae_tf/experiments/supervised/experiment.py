"""The run of a supervised table: jobs in order, results after each, and going on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console

from ...files import checksum
from ..arrays import read_arrays, write_arrays
from ..progress import JobProgress
from ..resumable_run import ResumableRun, check_folder
from .bench import Bench, classifier_file
from .epsilon_sweep import EpsilonSweep
from .minmax_penalty import MinMaxPenalty
from .quality import Quality
from .robust import Robust
from .settings import SupervisedSettings
from .table import Table

_TABLES: dict[str, type[Table]] = {
    "minmax-vs-penalty": MinMaxPenalty,
    "epsilon-sweep": EpsilonSweep,
    "quality": Quality,
    "robust": Robust,
}
#: Beside results.json: per-image numbers, examples and traces of the jobs done.
_ARRAYS = "images.npz"


def supervised(
    settings: SupervisedSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Runs a table of the supervised experiments, and writes results and report.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures, per-image arrays, and the
            classifiers that had to be trained.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.

    Returns:
        What results.json holds; ``complete`` is False after an interruption.

    Raises:
        ValueError: settings, data, classifiers or a folder that do not fit; no attack
            has been run then.

    Reference:
        Hsu et al., AAAI 2022, sections 3.1, 4.2 and 4.3; SPEC 1.3 to 1.11.
    """
    check_folder(out)
    run = _Experiment(settings, out, resume, console or Console())
    return run.run()


class _Experiment(ResumableRun):
    name = "supervised"
    # More bounds and more repetitions leave those that are done as they are.
    may_differ = ("epsilons", "runs")
    settings: SupervisedSettings

    def __init__(
        self, settings: SupervisedSettings, out: Path, resume: bool, console: Console
    ) -> None:
        super().__init__(settings, out)
        self._digests = _digests(settings)
        self.restore(resume)
        self.arrays: dict[str, np.ndarray] = {}
        if self.runs and (out / _ARRAYS).exists():
            self.arrays = read_arrays(out / _ARRAYS)
        else:
            # Rows are made of the arrays: jobs without theirs run again.
            self.runs = {}
        self.bench = Bench(settings, out / "classifiers")
        self.table = _TABLES[settings.table](settings, self.bench)
        self.jobs = self.table.jobs()
        self.progress = JobProgress(len(self.jobs), console)
        self.bench.progress = self.progress

    def prepare(self) -> None:
        classifiers, arrays = self.out / "classifiers", self.out / _ARRAYS
        if not self.is_resumed:
            # Of a run before this one, perhaps with other settings.
            for path in (*classifiers.glob("*.keras"), arrays):
                path.unlink(missing_ok=True)

    def run_jobs(self) -> None:
        self.progress.start("the attacked classifier")
        self.bench.images(self.bench.classifier())
        todo = [key for key in self.jobs if key not in self.runs]
        self.progress.skip_jobs(len(self.jobs) - len(todo))
        for key in todo:
            self._run_job(key)
            self.progress.finish_job()

    def _run_job(self, key: str) -> None:
        self.progress.start(key)
        numbers, arrays = self.jobs[key](self.progress.update)
        self.arrays |= {f"{key}/{name}": array for name, array in arrays.items()}
        # First: a job that results.json lists has its arrays.
        write_arrays(self.out / _ARRAYS, self.arrays)
        self.runs[key] = numbers
        self.write()

    def conclusions(self) -> dict[str, Any]:
        table, runs, done = self.table, self._wanted_runs(), self._wanted_arrays()
        rows = table.rows(runs, done)
        return {
            "title": table.title,
            "rows": rows,
            "primary": table.primary,
            "verdict": None,
            "findings": table.findings(rows, done),
            "notes": [*table.notes(runs), _CONDITIONS],
            "meanings": table.meanings(),
            "column_titles": table.titles(),
        }

    def described_settings(self) -> dict[str, Any]:
        return super().described_settings() | self._digests

    def figures(self, results: Mapping[str, Any]) -> dict[str, Figure]:
        return self.table.figures(results["rows"], self._wanted_arrays())

    def _wanted_runs(self) -> dict[str, Any]:
        """What is done of these settings' jobs: a run before may have had more."""
        return {key: self.runs[key] for key in self.jobs if key in self.runs}

    def _wanted_arrays(self) -> dict[str, np.ndarray]:
        """Their arrays, without those of a job that was interrupted."""
        runs = self._wanted_runs()
        return {
            key: array
            for key, array in self.arrays.items()
            if key.rpartition("/")[0] in runs
        }


def _digests(settings: SupervisedSettings) -> dict[str, str]:
    """Checksums of the classifiers that are given, as `compare` has of its model.

    A file of the same name may hold another one when a run goes on.
    """
    return {
        f"{name}_sha256": checksum(classifier_file(path))
        for name in ("classifier", "robust_classifier", "extractor")
        if (path := getattr(settings, name)) is not None
    }


_CONDITIONS = (
    "Similarities, lengths and SSIM are means ± standard deviations over the images on "
    "which the attack succeeded. Success is judged by a forward pass outside of the "
    "attack."
)
