"""What the report's figures are drawn from, kept between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from ..datasets.pipelines import predict
from .arrays import read_arrays, write_arrays
from .report import (
    convergence,
    errors_by_arm,
    finite_errors,
    gallery,
    relative_loss_change,
)
from .seed_run import SeedRun
from .summary import CANDIDATE

_GALLERY = 8
# Of MINE and of its closed form: the two that the candidate arm may have.
_SIMILARITY = "I: mutual information (nats)"


class Pictures:
    """Arrays behind the figures, of the first seed, saved beside the results.

    Args:
        path: an ``.npz`` file; read if it exists.
    """

    #: Samples that the attack is traced on.
    traced: ClassVar[int] = 256

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrays: dict[str, np.ndarray] = {}
        if path.exists():
            self.arrays = read_arrays(path)

    def collect(self, run: SeedRun, arm: str) -> None:
        """Keeps what an arm that has just run adds to the figures."""
        if arm in run.changes:
            self.arrays[f"change/{arm}"] = run.changes[arm]
        if arm == CANDIDATE:
            self._collect_attack(run)
        write_arrays(self.path, self.arrays)

    def figures(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The figures that can be drawn from what there is.

        Args:
            rows: of the report's table. A run that was resumed with fewer arms has
                pictures of others, too, which are left out.
        """
        found = self._own_figures(rows)
        trace = self._group("trace/")
        if trace and CANDIDATE in _arms(rows):
            found["convergence"] = convergence(trace, _SIMILARITY)
        changes = self._group("change/", rows)
        # None is finite where no attack succeeded.
        if any(np.isfinite(values).any() for values in changes.values()):
            found["histogram"] = relative_loss_change(changes)
        return found

    def _own_figures(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Those that depend on what the model does with samples."""
        found: dict[str, Any] = {}
        if len(rows) > 1 and finite_errors(rows):
            found["errors"] = errors_by_arm(rows)
        names = ("x", "examples", "output", "output_of_examples", "success")
        if self._has_gallery(rows):
            found["gallery"] = gallery(*(self.arrays[f"gallery/{n}"] for n in names))
        return found

    def _collect_attack(self, run: SeedRun) -> None:
        augmenter = run.bench.augmenter
        augmenter.model.set_weights(run.original(run.bench.source_kind))
        x = run.x[:_GALLERY]
        examples = run.copies(CANDIDATE)[0][:_GALLERY]
        self.arrays |= {
            "gallery/x": x,
            "gallery/examples": examples,
            "gallery/success": np.any(x != examples, axis=tuple(range(1, x.ndim))),
            **self._outputs(augmenter.model, x, examples),
        }
        # The very examples of the arm: the first that were made with this seed.
        first_id = run.seed * run.settings.num_copies * len(run.x)
        trace = augmenter.trace(CANDIDATE, run.x[: self.traced], first_id)
        self.arrays |= {f"trace/{name}": values for name, values in trace.items()}

    def _outputs(
        self, model: keras.Model, x: np.ndarray, examples: np.ndarray
    ) -> dict[str, np.ndarray]:
        return {
            "gallery/output": predict(model, x),
            "gallery/output_of_examples": predict(model, examples),
        }

    def _has_gallery(self, rows: list[dict[str, Any]]) -> bool:
        return "gallery/x" in self.arrays and CANDIDATE in _arms(rows)

    def _group(
        self, prefix: str, rows: list[dict[str, Any]] | None = None
    ) -> dict[str, np.ndarray]:
        """What is named so; with ``rows``, of their arms."""
        found = {
            name.removeprefix(prefix): values
            for name, values in self.arrays.items()
            if name.startswith(prefix)
        }
        if rows is None:
            return found
        return {arm: found[arm] for arm in found if arm in _arms(rows)}


def _arms(rows: list[dict[str, Any]]) -> set[str]:
    return {row["arm"] for row in rows}
