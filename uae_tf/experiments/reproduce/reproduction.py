"""The runs of several recipes: a plan, one after the other, and one report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ... import datasets
from ..report.summary_page import Part, Section, write_summary
from ..resumable_run import REPORT, RESULTS, check_folder
from ..storage import environment, is_compatible, read_json, write_json
from .kinds import KINDS, make_settings
from .recipe import TABLES, Recipe, Run

#: What a run was started with, beside its results.
RUN = "run.json"
TO_DO, GO_ON, DONE, NO_DATA = "to do", "go on", "done", "data missing"


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of the plan.

    Args:
        recipe: that it is of.
        run: the run.
        folder: of its results.
        state: `TO_DO`, `GO_ON` (begun before), `DONE`, or `NO_DATA`.
    """

    recipe: Recipe
    run: Run
    folder: Path
    state: str


class Reproduction:
    """Makes the runs of recipes, skips what is done, and writes one report.

    Args:
        recipes: what to run, in this order.
        out: folder: a folder TABLE/RUN for each, results.json and report.html.
        data_dir: folder with prepared data, or None for the usual places.
        console: where progress is drawn.
        others: recipes that are not run, but told in the report where a call before
            this one has begun with them.
        workers: processes that share the seeds of a run, where its experiment can;
            0: this one.

    Raises:
        ValueError: a folder that cannot be written to, or that holds a run with other
            settings under the same name; nothing has been written then.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        out: Path,
        data_dir: str | None = None,
        console: Console | None = None,
        others: Sequence[Recipe] = (),
        workers: int = 0,
    ) -> None:
        check_folder(out)
        self.recipes = recipes
        self.others = others
        self.out = out
        self.data_dir = data_dir
        self.console = console or Console()
        self.workers = workers
        self.errors: dict[Path, str] = {}
        self.plan()  # Raises where folders hold something else.

    def plan(self) -> list[Step]:
        """What there is to do, as things are now."""
        return self._steps(self.recipes)

    def run(self) -> bool:
        """Makes the runs that are not done, and writes report and results after each.

        A run that cannot be made, for lack of data, for what the experiment refuses, or
        because a worker died, is told in the report; the others go on. After Ctrl-C the
        next call goes on where this one stopped.

        Returns:
            Whether all runs are done.
        """
        for step in self.plan():
            if step.state in (DONE, NO_DATA):
                continue
            if not self._make(step):
                break
            self.write()
        self.write()
        return all(step.state == DONE for step in self.plan())

    def write(self) -> None:
        """Writes results.json and report.html of what there is."""
        begun = [other for other in self.others if (self.out / other.table).exists()]
        recipes = sorted([*self.recipes, *begun], key=lambda r: TABLES.index(r.table))
        steps = self._steps(recipes)
        write_json(
            self.out / RESULTS,
            {
                "experiment": "reproduce",
                "environment": environment(),
                "complete": all(step.state == DONE for step in steps),
                "runs": [self._told(step) for step in steps],
            },
        )
        scales = ", ".join(dict.fromkeys(recipe.scale for recipe in recipes))
        write_summary(
            f"The papers' tables, {scales}",
            [self._section(recipe, steps) for recipe in recipes],
            self._notes(steps),
            self.out / REPORT,
        )

    def _steps(self, recipes: Sequence[Recipe]) -> list[Step]:
        steps = []
        for recipe in recipes:
            for run in recipe.runs:
                folder = self.out / recipe.table / run.name
                steps.append(Step(recipe, run, folder, self._state(run, folder)))
        return steps

    def _state(self, run: Run, folder: Path) -> str:
        path = folder / RESULTS
        if path.exists():
            if (folder / RUN).exists():
                is_compatible(read_json(folder / RUN), _described(run))
            return DONE if read_json(path).get("complete") else GO_ON
        name = make_settings(run.experiment, run.settings).dataset
        is_there = datasets.is_at_hand(name, self.data_dir)
        return TO_DO if is_there else NO_DATA

    def _make(self, step: Step) -> bool:
        """Makes one run; returns whether the next may begin."""
        run, folder = step.run, step.folder
        settings = make_settings(
            run.experiment, {**run.settings, "data_dir": self.data_dir}
        )
        heading = f"{step.recipe.table}: {run.title}"
        self.console.print(heading, markup=False, highlight=False)
        write_json(folder / RUN, _described(run))
        try:
            kind = KINDS[run.experiment]
            results = kind.run(settings, folder, self.console, self.workers)
        except (FileNotFoundError, ValueError, ChildProcessError) as error:
            # Of one run; the night is long enough for the others.
            self.errors[folder] = str(error)
            if not isinstance(error, ChildProcessError):
                _forget_if_empty(folder / RESULTS)
            self.console.print(f"Not made: {error}", markup=False, highlight=False)
            return True
        return results["complete"]

    def _told(self, step: Step) -> dict[str, Any]:
        """A run, for results.json; all of its numbers are in its own folder."""
        results = self._results(step)
        return {
            "table": step.recipe.table,
            "scale": step.recipe.scale,
            "run": step.run.name,
            "state": step.state,
            "error": self.errors.get(step.folder),
            "results": str((step.folder / RESULTS).relative_to(self.out)),
            "verdict": (results or {}).get("verdict"),
        }

    def _results(self, step: Step) -> dict[str, Any] | None:
        path = step.folder / RESULTS
        return read_json(path) if path.exists() else None

    def _section(self, recipe: Recipe, steps: Sequence[Step]) -> Section:
        parts = [self._part(step) for step in steps if step.recipe is recipe]
        return Section(recipe.title, recipe.source, recipe.about, parts)

    def _part(self, step: Step) -> Part:
        results, page = self._results(step), step.folder / REPORT
        waiting = {
            NO_DATA: "The data set is not prepared; see `uae-tf datasets prepare`.",
            TO_DO: "Still to come.",
        }
        error = self.errors.get(step.folder) or waiting.get(step.state, "")
        return Part(
            title=step.run.title,
            results=results,
            figures={
                path.stem: path.read_bytes()
                for path in sorted((step.folder / "figures").glob("*.png"))
            },
            error="" if results else error,
            link=page.relative_to(self.out).as_posix() if page.exists() else "",
            data=step.run.data,
        )

    def _notes(self, steps: Sequence[Step]) -> list[str]:
        done = sum(step.state == DONE for step in steps)
        notes = [f"{done} of {len(steps)} runs are done."]
        if any(step.recipe.scale == "quick" for step in steps):
            notes.append(
                "The scale “quick” shows that and how everything works, on real data: "
                "small training sets, short trainings, three seeds. For numbers worth "
                "quoting take “standard” or “full”."
            )
        return notes


def _described(run: Run) -> dict[str, Any]:
    """What must be the same for a folder to be gone on with."""
    return {"experiment": run.experiment, "settings": run.settings}


def _forget_if_empty(results: Path) -> None:
    """Removes results without a finished job: a mended recipe is not held to them."""
    if results.exists() and not any(read_json(results).get("runs", {}).values()):
        results.unlink()
