"""The run of any experiment: jobs in order, results after each, and going on."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from matplotlib.figure import Figure

from .progress import JobProgress
from .report import write_report
from .settings import CheckedSettings
from .storage import environment, is_compatible, read_json, write_json

RESULTS, REPORT = "results.json", "report.html"
#: What the report's figures are drawn from.
FIGURES = "figures.npz"


class ResumableRun(ABC):
    """One experiment, written down job by job, so that an interruption loses one job.

    Subclasses set ``progress``, take over a former run with :meth:`restore`, and say
    what the jobs are and what is made of their numbers.

    Args:
        settings: of the experiment.
        out: folder for results.json, report.html, figures and what jobs leave.
    """

    name: ClassVar[str]
    #: Settings in which a run that goes on may differ: what is done stays as it is.
    may_differ: ClassVar[tuple[str, ...]] = ()
    #: What results.json must hold to go on from.
    needed: ClassVar[frozenset[str]] = frozenset({"settings", "runs"})
    progress: JobProgress

    def __init__(self, settings: CheckedSettings, out: Path) -> None:
        self.settings = settings
        self.out = out
        self.environment = environment()
        self.is_resumed = False
        self.runs: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Runs the jobs still to do, and returns what results.json holds."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.prepare()
        # Before the first job: what it leaves behind belongs to these settings.
        self.write()
        is_complete = False
        try:
            with self.progress:
                self.run_jobs()
            is_complete = True
        except KeyboardInterrupt:
            # Everything finished is on disk; the report shows the rest as pending.
            pass
        results = self.write(is_complete)
        write_report(results, self.figures(results), self.out / REPORT)
        return results

    @abstractmethod
    def prepare(self) -> None:
        """Clears what a run before this one left in the folder, if this one is anew."""

    @abstractmethod
    def run_jobs(self) -> None:
        """Runs what is not in ``runs`` yet, and calls :meth:`write` after each job."""

    @abstractmethod
    def conclusions(self) -> dict[str, Any]:
        """What results.json says beside settings, environment and ``runs``."""

    @abstractmethod
    def figures(self, results: Mapping[str, Any]) -> dict[str, Figure]:
        """The pictures of the report."""

    def write(self, is_complete: bool = False) -> dict[str, Any]:
        """Writes results.json, and returns what it holds."""
        results = {
            "experiment": self.name,
            "settings": self.described_settings(),
            "environment": self.environment,
            **self.conclusions(),
            "complete": is_complete,
            "command": self.environment["command"],
            "runs": self.runs,
        }
        write_json(self.out / RESULTS, results)
        return results

    def described_settings(self) -> dict[str, Any]:
        """What the results depend on."""
        settings = self.settings.to_dict()
        # A folder is where this machine keeps the data, not what the result depends on.
        del settings["data_dir"]
        return settings

    def restore(self, resume: bool) -> dict[str, Any] | None:
        """Takes over what a run in the same folder has done, and returns all of it.

        Args:
            resume: whether to go on.

        Returns:
            The saved results; None where there are none, or a finished run is replaced.

        Raises:
            ValueError: an unfinished run would be lost, or it is of something else.
        """
        path = self.out / RESULTS
        if not path.exists():
            return None
        saved = read_json(path)
        # A file of the user's, for one; the report of `reproduce` has a list of runs.
        parts = [saved.get(name, {}) for name in self.needed]
        is_run = {"experiment", "settings", "runs"} <= saved.keys()
        is_run = is_run and all(isinstance(part, dict) for part in parts)
        if is_run and not resume:
            if not saved.get("complete") and self.holds_work(saved):
                raise ValueError(
                    f"{path} holds an unfinished run. Go on with --resume, or choose "
                    "another folder with --out."
                )
            return None
        is_ours = is_run and saved["experiment"] == self.name
        if not (is_ours and self.needed <= set(saved)):
            raise ValueError(
                f"{path} does not hold a run of `{self.name}`. Choose "
                "another folder with --out."
            )
        is_compatible(saved["settings"], self.described_settings(), self.may_differ)
        self.is_resumed = True
        self.runs = saved["runs"]
        return saved

    def holds_work(self, saved: Mapping[str, Any]) -> bool:
        """Whether an unfinished run has left more than its settings."""
        return any(saved.get("runs", {}).values())


def check_folder(out: Path) -> None:
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
