"""The paper's first experiment, with controls: do UAEs improve an autoencoder?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import datasets
from ..datasets import Dataset
from . import summary
from .pictures import Pictures
from .progress import JobProgress
from .report import write_report
from .seed_run import Bench, SeedRun
from .settings import ReconstructionSettings
from .storage import environment, is_compatible, read_json, write_json

RESULTS, REPORT = "results.json", "report.html"
EXPERIMENT = "reconstruct"
#: More seeds and other arms leave those that are done as they are.
_MAY_DIFFER = ("arms", "seeds")


def reconstruct(
    settings: ReconstructionSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Trains, attacks and retrains all arms, and writes results and report.

    Each finished job (one arm, one seed) is written to ``out/results.json`` at once.
    An interruption loses the job it interrupts and no other.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures and the originals' weights.
        resume: go on from the jobs in ``out`` instead of starting anew.
        console: where progress is drawn.

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
    _check_folder(out)
    data = datasets.load(settings.dataset, settings.data_dir, settings.samples)
    experiment = _Experiment(settings, data, out, resume, console or Console())
    return experiment.run()


class _Experiment:
    """The run of one experiment: jobs in order, results after each."""

    def __init__(
        self,
        settings: ReconstructionSettings,
        data: Dataset,
        out: Path,
        resume: bool,
        console: Console,
    ) -> None:
        self.settings = settings
        self.out = out
        self.runs: dict[str, dict[str, dict[str, Any]]] = {}
        self.tuning: dict[str, float] = {}
        self.environment = environment()
        self.bench = Bench(settings, data)
        self.is_resumed = self._restore(resume)
        self.seeds = [settings.seed + i for i in range(settings.seeds)]
        self.progress = JobProgress(len(self.seeds) * len(settings.arms), console)

    def run(self) -> dict[str, Any]:
        """Runs the jobs still to do; the docstring of :func:`reconstruct` holds."""
        originals, pictures = self.out / "originals", self.out / "figures.npz"
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.is_resumed:
            # Of a run before this one, perhaps with other settings.
            for path in (*originals.glob("original-*.npz"), pictures):
                path.unlink(missing_ok=True)
        self.pictures = Pictures(pictures)
        is_complete = False
        try:
            with self.progress:
                for seed in self.seeds:
                    self._run_seed(seed)
            is_complete = True
        except KeyboardInterrupt:
            # Everything finished is on disk; the report shows the rest as pending.
            pass
        results = self._write(is_complete)
        figures = self.pictures.figures(results["rows"])
        write_report(results, figures, self.out / REPORT)
        return results

    def _run_seed(self, seed: int) -> None:
        run = SeedRun(self.bench, seed, self.out / "originals", self.progress)
        for arm in self.settings.arms:
            done = self.runs.setdefault(arm, {})
            if str(seed) not in done:
                stddev = self._stddev(run) if arm == "gaussian_tuned" else None
                numbers = run.run(arm, stddev)
                # First: a job that is done is never run again for its pictures.
                if seed == self.seeds[0]:
                    self.pictures.collect(run, arm)
                done[str(seed)] = numbers
                self._write(is_complete=False)
            self.progress.finish_job()

    def _stddev(self, run: SeedRun) -> float:
        """Chosen once, with the first seed that needs it, and told in the notes."""
        if not self.tuning:
            self.tuning = run.tune()
        return summary.best_stddev(self.tuning)

    def _write(self, is_complete: bool) -> dict[str, Any]:
        results = {
            "experiment": EXPERIMENT,
            "settings": self._described_settings(),
            "environment": self.environment,
            "rows": summary.rows(self.settings, self.runs),
            "verdict": summary.judge(self.settings, self.runs),
            "notes": summary.notes(self.settings, self.tuning),
            "tuning": self.tuning,
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
        settings["epochs"] = self.settings.epochs or self.bench.recipe.epochs
        settings["samples"] = len(self.bench.data.x_train)
        return settings

    def _restore(self, resume: bool) -> bool:
        """Takes over what a run in the same folder has done; returns whether it did."""
        path = self.out / RESULTS
        if not path.exists():
            return False
        saved = read_json(path)
        if not resume:
            if not saved.get("complete"):
                raise ValueError(
                    f"{path} holds an unfinished run. Go on with --resume, or choose "
                    "another folder with --out."
                )
            return False
        missing = {"settings", "runs", "tuning"} - set(saved)
        if missing or saved.get("experiment") != EXPERIMENT:
            raise ValueError(
                f"{path} does not hold a run of `{EXPERIMENT}` to resume. Choose "
                "another folder with --out."
            )
        is_compatible(saved["settings"], self._described_settings(), _MAY_DIFFER)
        self.runs = saved["runs"]
        self.tuning = saved["tuning"]
        return True


def _check_folder(out: Path) -> None:
    """Refuses a folder that cannot be written to, before any training."""
    nearest = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise ValueError(
            f"`out` must be a folder. Received: {out}, but {nearest} is a file."
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(
            f"`out` must be a folder you may write to. Received: {out}, but {nearest} "
            "is read-only for you."
        )
