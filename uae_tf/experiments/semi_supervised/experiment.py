"""Few labels, many samples: VAT, generated adversarial examples, and controls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from ..progress import JobProgress
from ..resumable_run import FIGURES, ResumableRun, check_folder
from ..side_by_side import side_by_side
from . import summary
from .arms import Trial
from .bench import Bench
from .pictures import Pictures
from .settings import SemiSupervisedSettings
from .trial_worker import TrialFinding, TrialTask, TrialWorker, load_worker

_ERROR = "Share of test samples that are not given their class, mean ± standard "
_ERROR += "deviation over seeds. Lower is better; the lowest is bold."
#: Recorded too: a run must not go on under another protocol.
_FROM_PROTOCOL = ("labels", "updates", "validation", "labelled_batch")
_FROM_PROTOCOL += ("unlabelled_batch", "side", "whiten")
_FROM_PROTOCOL += ("stop_gradient", "generator_rate")


def semi_supervised(
    settings: SemiSupervisedSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Chooses settings, trains every method, and writes results and report.

    First each method that has a setting is trained with every value of its grid on the
    first seeds, and the value with the lowest validation error chosen; these trainings
    are the sensitivity figure as well. Then every arm is trained with every seed. Each
    finished training is written to ``out/results.json`` at once.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html and figures.
        resume: go on from the trainings in ``out`` instead of starting anew.
        console: where progress is drawn.
        workers: processes that share the seeds, each with its share of the cores; 0:
            this one has them all.

    Returns:
        What results.json holds; ``complete`` is False after an interruption.

    Raises:
        ValueError: settings, data or a folder that do not fit; nothing has been
            trained or written then.

    Cost:
        ``choice_seeds x values of the grids + seeds x arms`` trainings, less those
        that are both.

    Reference:
        Ma et al., WISE 2019 (slides); SPEC 7.
    """
    return prepared_run(settings, out, resume, console, workers).run()


def prepared_run(
    settings: SemiSupervisedSettings,
    out: Path,
    resume: bool = False,
    console: Console | None = None,
    workers: int = 0,
) -> ResumableRun:
    """What :func:`semi_supervised` runs: checked, with nothing written yet.

    Args:
        settings: as there, and so are all others.
        out: as there.
        resume: as there.
        console: as there.
        workers: as there.

    Returns:
        The run, which goes on from ``out`` where it resumes.

    Raises:
        ValueError: as there.
    """
    check_folder(out)
    bench = Bench(settings)
    bench.split(settings.seed)  # Raises where data and labels do not fit.
    return _Experiment(settings, bench, out, resume, console or Console(), workers)


class _Experiment(ResumableRun):
    """The run of one experiment: trainings in order, results after each."""

    name = "semisupervised"
    # More seeds and other arms leave those that are done as they are.
    may_differ = ("methods", "seeds", "arms")
    settings: SemiSupervisedSettings

    def __init__(
        self,
        settings: SemiSupervisedSettings,
        bench: Bench,
        out: Path,
        resume: bool,
        console: Console,
        workers: int,
    ) -> None:
        super().__init__(settings, out)
        self.bench = bench
        self.workers = workers
        self.restore(resume)
        self.seeds = summary.seeds_of(settings)
        arms = settings.arms
        # dict, for an order without repetition.
        self.searched = list(dict.fromkeys(a.chosen_by for a in arms if a.is_chosen))
        values = sum(len(settings.grid(method)) for method in self.searched)
        choosing = len(self.seeds[: settings.choice_seeds])
        jobs = choosing * values + len(self.seeds) * len(arms)
        self.progress = JobProgress(jobs, console, lanes=max(1, workers))

    def prepare(self) -> None:
        path = self.out / FIGURES
        if not self.is_resumed:
            path.unlink(missing_ok=True)
        self.pictures = Pictures(path)

    def run_jobs(self) -> None:
        """Runs what is still to do; :func:`semi_supervised` tells the order."""
        grid = [
            Trial(method, value)
            for method in self.searched
            for value in self.settings.grid(method)
        ]
        self._train(self.seeds[: self.settings.choice_seeds], grid)
        choices = self._choices()
        trials = [summary.trial_of(arm, choices) for arm in self.settings.arms]
        # All choices are made by now.
        self._train(self.seeds, [trial for trial in trials if trial is not None])

    def figures(self, results: Mapping[str, Any]) -> dict[str, Figure]:
        return self.pictures.figures(results, self.settings)

    def _choices(self) -> dict[str, float]:
        return summary.choose(self.settings, self.runs, self.searched)

    def _train(self, seeds: Sequence[int], trials: list[Trial]) -> None:
        # A dict, because two arms may be the same trial.
        todo: dict[TrialTask, None] = {}
        for seed in seeds:
            for trial in trials:
                task = TrialTask(trial, seed, is_pictured=seed == self.seeds[0])
                if str(seed) not in self.runs.get(trial.key, {}):
                    todo[task] = None
        self.progress.skip_jobs(len(seeds) * len(trials) - len(todo))
        # Closed, so that workers end where Ctrl-C comes in between.
        with contextlib.closing(self._work(todo)) as found:
            for lane, finding in found:
                self._take(finding)
                self.progress.finish_job(lane)

    def _take(self, finding: TrialFinding) -> None:
        """Writes down what was found."""
        trial, seed = finding.task.trial, finding.task.seed
        # First: a job that is done is never run again for its pictures.
        self.pictures.add(finding.arrays)
        self.runs.setdefault(trial.key, {})[str(seed)] = finding.numbers
        self.write()

    def _work(self, tasks: Iterable[TrialTask]) -> Iterator[tuple[int, TrialFinding]]:
        if not self.workers:
            work = TrialWorker(self.bench, self.progress)
            for task in tasks:
                yield from ((0, finding) for finding in work(task))
            return
        make_work = partial(load_worker, self.settings)
        yield from side_by_side(make_work, tasks, self.workers, self.progress)

    def conclusions(self) -> dict[str, Any]:
        settings, choices = self.settings, self._choices()
        judged = summary.judge(settings, self.runs, choices)
        # Else the title asks whether the verdict's arm helps.
        title = {} if judged else {"title": f"Few labels: {settings.dataset}"}
        return {
            **title,
            "rows": summary.rows(settings, self.runs, choices),
            "verdict": judged,
            "notes": summary.notes(settings, self.runs, choices),
            "choices": choices,
            "sensitivity": summary.sensitivity(settings, self.runs),
            "error_unit": "%",
            "meanings": summary.meanings(settings),
            "column_meanings": {"test_error": _ERROR},
        }

    def described_settings(self) -> dict[str, Any]:
        settings, protocol = super().described_settings(), self.settings.protocol
        settings["arms"] = list(settings["methods"])
        for name in _FROM_PROTOCOL:
            settings[name] = getattr(protocol, name)
        settings["epsilon_grid"] = list(protocol.epsilons)
        settings["random_grid"] = list(protocol.random_epsilons)
        settings["lambda_grid"] = list(protocol.lambdas)
        return settings
