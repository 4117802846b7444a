"""What the figures of the semi-supervised report are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ...datasets.pipelines import predict
from ...training import ConsistencyTraining
from ..arrays import read_arrays, write_arrays
from ..report import errors_by_arm, finite_errors
from ..report.semi_supervised import (
    Panel,
    decision_boundaries,
    generated_gallery,
    sensitivity,
)
from .arms import GENERATORS, METHODS, Trial
from .bench import Bench
from .settings import SemiSupervisedSettings
from .summary import trial_of

_SIDE, _LIMIT = 121, 1.4
_SAMPLES, _DRAWS = 64, 3
#: The slides' figure: two lengths of VAT, and the generator.
_SHOWN = ("vat_0.1", "vat_1.0", "generator_1.0", "vat", "generator", "supervised")


class Pictures:
    """Arrays behind the figures, of the first seed, saved beside the results.

    Args:
        path: an ``.npz`` file; read if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrays: dict[str, np.ndarray] = {}
        if path.exists():
            self.arrays = read_arrays(path)

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps what a trained model adds to the figures, as `drawn_from` gives it."""
        if arrays:
            self.arrays |= arrays
            write_arrays(self.path, self.arrays)

    def figures(
        self, results: dict[str, Any], settings: SemiSupervisedSettings
    ) -> dict[str, Any]:
        """The figures that can be drawn from what there is."""
        found: dict[str, Any] = {}
        rows, tried = results["rows"], results["sensitivity"].values()
        if len(rows) > 1 and finite_errors(rows):
            found["errors"] = errors_by_arm(rows, label="test error (%)")
        panels = self.panels(results, settings)
        if panels:
            found["boundaries"] = decision_boundaries(
                {f"noise {settings.noise:g}": panels}
            )
        examples = self._generated(results, settings)
        if examples is not None:
            found["generated"] = generated_gallery(self.arrays["gallery/x"], examples)
        # Where all trainings diverged there is nothing to draw.
        errors = [error for values in tried for error in values.values()]
        if any(len(values) > 1 for values in tried) and any(
            np.isfinite(e).any() for e in errors
        ):
            found["sensitivity"] = sensitivity(results["sensitivity"])
        return found

    def _generated(
        self, results: dict[str, Any], settings: SemiSupervisedSettings
    ) -> np.ndarray | None:
        """What the generator of the first arm that has one made, None without."""
        trials = [
            trial_of(arm, results["choices"])
            for arm in settings.arms
            if arm.method in GENERATORS
        ]
        found = [self.arrays.get(f"gallery/{trial.key}") for trial in trials if trial]
        return next((examples for examples in found if examples is not None), None)

    def panels(
        self, results: dict[str, Any], settings: SemiSupervisedSettings
    ) -> dict[str, Panel]:
        """Arm -> what its decision boundary is drawn from, for points in the plane."""
        if "points/unlabelled" not in self.arrays:
            return {}
        panels = {}
        arms = {arm.name: arm for arm in settings.arms}
        for name in (n for n in _SHOWN if n in arms):
            trial = trial_of(arms[name], results["choices"])
            grid = self.arrays.get(f"boundary/{trial.key}") if trial else None
            if trial is None or grid is None:
                continue
            entry = results["runs"].get(trial.key, {}).get(str(settings.seed))
            # Arrays are written first: an interruption may leave them alone.
            if entry is None:
                continue
            panels[name] = Panel(
                title=_title(name, trial),
                probability=grid,
                limit=_LIMIT,
                unlabelled=self.arrays["points/unlabelled"],
                labelled=self.arrays["points/labelled"],
                labels=self.arrays["points/labels"],
                error=entry["test_error"],
            )
        return panels


def drawn_from(
    bench: Bench, trial: Trial, model: ConsistencyTraining, seed: int
) -> dict[str, np.ndarray]:
    """What a trained model adds to the figures; nothing, if they do not show it."""
    split = bench.split(seed)
    if split.sample_shape == (2,):
        return {
            f"boundary/{trial.key}": _class_one(model),
            "points/unlabelled": split.x_unlabelled,
            "points/labelled": split.x_labelled,
            "points/labels": split.y_labelled,
        }
    if trial.method not in GENERATORS:
        return {}
    x = split.x_test[:_SAMPLES]
    draws = [bench.examples(trial, model, x, draw) for draw in range(_DRAWS)]
    examples = [bench.as_measured(drawn) for drawn in draws]
    return {
        "gallery/x": bench.as_measured(x),
        f"gallery/{trial.key}": np.stack(examples, axis=1),
    }


def _class_one(model: ConsistencyTraining) -> np.ndarray:
    """Probability of class 1 over a square, ``(side, side)``, rows from below."""
    ticks = np.linspace(-_LIMIT, _LIMIT, _SIDE, dtype=np.float32)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    logits = predict(model, points, len(points))
    return tf.nn.softmax(logits)[:, 1].numpy().reshape(_SIDE, _SIDE)


def _title(name: str, trial: Trial) -> str:
    symbols = {"epsilon": "ε", "lambda": "λ"}
    symbol = symbols.get(METHODS[trial.method] or "")
    return f"{trial.method}, {symbol} = {trial.value:g}" if symbol else name
