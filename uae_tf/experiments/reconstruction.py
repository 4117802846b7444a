"""The paper's first experiment, with controls: do UAEs improve an autoencoder?"""

from __future__ import annotations

import dataclasses
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
        self._restore(resume)
        self.bench = Bench(settings, data)
        self.seeds = [settings.seed + i for i in range(settings.seeds)]
        self.progress = JobProgress(len(self.seeds) * len(settings.arms), console)
        self.pictures = Pictures(out / "figures.npz")

    def run(self) -> dict[str, Any]:
        self.out.mkdir(parents=True, exist_ok=True)
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
                done[str(seed)] = run.run(arm, stddev)
                if seed == self.seeds[0]:
                    self.pictures.collect(run, arm)
                self._write(is_complete=False)
            self.progress.finish_job()

    def _stddev(self, run: SeedRun) -> float:
        """Chosen once, with the first seed that needs it, and told in the notes."""
        if not self.tuning:
            self.tuning = run.tune()
        return summary.best_stddev(self.tuning)

    def _write(self, is_complete: bool) -> dict[str, Any]:
        results = {
            "experiment": "reconstruct",
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

    def _restore(self, resume: bool) -> None:
        path = self.out / RESULTS
        if not path.exists():
            return
        saved = read_json(path)
        if not resume:
            if not saved.get("complete"):
                raise ValueError(
                    f"{path} holds an unfinished run. Go on with --resume, or choose "
                    "another folder with --out."
                )
            return
        # None stands for the recipe's epochs and for all samples: what it came to is
        # what was saved.
        ignored = [
            n for n in ("samples", "epochs") if getattr(self.settings, n) is None
        ]
        asked = dataclasses.replace(self.settings, data_dir=None).to_dict()
        del asked["data_dir"]
        is_compatible(saved.get("settings", {}), asked, [*ignored, "arms", "seeds"])
        self.runs = saved["runs"]
        self.tuning = saved["tuning"]
