"""The run of a supervised table: jobs in order, results after each, and going on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ..arrays import read_arrays, write_arrays
from ..experiment import REPORT, RESULTS, check_folder, saved_run
from ..progress import JobProgress
from ..report import write_report
from ..storage import environment, is_compatible, write_json
from .bench import Bench
from .epsilon_sweep import EpsilonSweep
from .minmax_penalty import MinMaxPenalty
from .quality import Quality
from .robust import Robust
from .settings import SupervisedSettings
from .table import Table

EXPERIMENT = "supervised"
_TABLES: dict[str, type[Table]] = {
    "minmax-vs-penalty": MinMaxPenalty,
    "epsilon-sweep": EpsilonSweep,
    "quality": Quality,
    "robust": Robust,
}
#: More bounds and more repetitions leave those that are done as they are.
_MAY_DIFFER = ("epsilons", "runs")
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


class _Experiment:
    def __init__(
        self, settings: SupervisedSettings, out: Path, resume: bool, console: Console
    ) -> None:
        self.settings = settings
        self.out = out
        self.environment = environment()
        self.runs: dict[str, dict[str, Any]] = {}
        self.arrays: dict[str, np.ndarray] = {}
        is_resumed = self._restore(resume)
        if not is_resumed:
            # Of a run before this one, perhaps with other settings.
            for path in (*(out / "classifiers").glob("*.keras"), out / _ARRAYS):
                path.unlink(missing_ok=True)
        self.bench = Bench(settings, out / "classifiers")
        self.table = _TABLES[settings.table](settings, self.bench)
        self.jobs = self.table.jobs()
        self.progress = JobProgress(len(self.jobs), console)

    def run(self) -> dict[str, Any]:
        self.out.mkdir(parents=True, exist_ok=True)
        is_complete = False
        try:
            with self.progress:
                self.progress.start("the attacked classifier")
                self.bench.images(self.bench.classifier())
                for key in self.jobs:
                    self._run_job(key)
            is_complete = True
        except KeyboardInterrupt:
            # Everything finished is on disk; the report shows it.
            pass
        results = self._write(is_complete)
        figures = self.table.figures(results["rows"], self.arrays)
        write_report(results, figures, self.out / REPORT)
        return results

    def _run_job(self, key: str) -> None:
        if key not in self.runs:
            self.progress.start(key)
            numbers, arrays = self.jobs[key](self.progress.update)
            self.arrays |= {f"{key}/{name}": array for name, array in arrays.items()}
            # First: a job that results.json lists has its arrays.
            write_arrays(self.out / _ARRAYS, self.arrays)
            self.runs[key] = numbers
            self._write(is_complete=False)
        self.progress.finish_job()

    def _write(self, is_complete: bool) -> dict[str, Any]:
        table = self.table
        done = {
            key: array
            for key, array in self.arrays.items()
            if key.rpartition("/")[0] in self.runs
        }
        rows = table.rows(self.runs, done)
        results = {
            "experiment": EXPERIMENT,
            "title": table.title,
            "settings": self._described_settings(),
            "environment": self.environment,
            "rows": rows,
            "primary": table.primary,
            "verdict": None,
            "findings": table.findings(rows, done),
            "notes": [*table.notes(self.runs), _CONDITIONS],
            "meanings": table.meanings(),
            "column_titles": table.titles(),
            "complete": is_complete,
            "command": self.environment["command"],
            "runs": self.runs,
        }
        write_json(self.out / RESULTS, results)
        return results

    def _described_settings(self) -> dict[str, Any]:
        settings = self.settings.to_dict()
        # A folder is where this machine keeps the data, not what the result depends on.
        del settings["data_dir"]
        return settings

    def _restore(self, resume: bool) -> bool:
        saved = saved_run(self.out, EXPERIMENT, resume, {"settings", "runs"})
        if saved is None:
            return False
        is_compatible(saved["settings"], self._described_settings(), _MAY_DIFFER)
        self.runs = saved["runs"]
        if self.runs:
            self.arrays = read_arrays(self.out / _ARRAYS)
        return True


_CONDITIONS = (
    "Similarities, lengths and SSIM are means over the images on which the attack "
    "succeeded. Success is judged by a forward pass outside of the attack."
)
