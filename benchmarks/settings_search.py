"""In which setting do UAEs, or their similarity term, lower an autoencoder's error?

Tries settings of experiment and attack, each with the controls that could explain its
gain, and compares on held-out training images. Then measures on the test images, with
other seeds, the best against its strongest control and the best against the same attack
without the similarity; they may be one. Writes tables for docs/results/measured.

python benchmarks/settings_search.py --dataset digits --out runs/settings
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import uae_tf
from uae_tf.experiments.report.numbers import PLUS_MINUS, fixed

#: What is tried: every line differs from the first in one thing or two.
TRIED: tuple[dict[str, Any], ...] = (
    {},
    {"preset": "default"},
    {"preset": "paper"},
    {"similarity_weight": 10.0},
    {"similarity_weight": 100.0},
    {"similarity_weight": -1.0},
    {"similarity": "gaussian"},
    {"similarity": "gaussian", "similarity_weight": 10.0},
    {"target": "clean"},
    {"copies": 3},
    {"rounds": 2},
    {"steps": 120},
    {"norm": "squared"},
    {"epochs": 10},
    {"epochs": 250},
    {"samples": 300},
    # Added when the first sixteen had been seen.
    {"similarity": "gaussian", "similarity_weight": 30.0},
    {"similarity": "gaussian", "similarity_weight": 100.0},
    {"similarity": "gaussian", "similarity_weight": 300.0},
    # Added when the nineteen had been seen, for the views and bounds of MINE; without
    # "infonce", whose attacks take eight times as long.
    {"bound": "nwj"},
    {"bound": "smile"},
    {"bound": "nwj", "similarity_weight": 10.0},
    {"model": "conv"},
    {"model": "conv", "views": "compressive"},
)
CONTROLS = ("duplicated", "start_noise", "matched_noise", "criterion_only")
#: Takes five trainings more, so only the last comparison has it.
TUNED = "gaussian_tuned"
WITHOUT = "criterion_only"
#: Seeds of the last comparison, which no setting was chosen by.
FRESH_SEED = 100

Measure = Callable[..., "uae_tf.experiments.own_model.Comparison"]


def measurer(kind: str, epochs: int, out: Path) -> Measure:
    """Runs all controls and the candidate, or reads what an earlier call has run."""

    def measure(
        name: str,
        x_train: np.ndarray,
        x_test: np.ndarray,
        changes: Mapping[str, Any],
        controls: tuple[str, ...] = CONTROLS,
        **settings: Any,
    ) -> uae_tf.experiments.own_model.Comparison:
        settings |= {"epochs": epochs, "preset": "strong", **changes}
        samples = settings.pop("samples", None)
        built = settings.pop("model", kind)
        shape = x_train.shape[1:]
        return uae_tf.compare(
            lambda: uae_tf.models.build(built, shape, recipe="modern"),
            x_train[:samples],
            x_test,
            arms=(*controls, "mine_uae"),
            out=out / name,
            console=Console(quiet=True),
            resume=(out / name / "results.json").exists(),
            **settings,
        )

    return measure


def changes_of(
    errors: Mapping[str, list[float]], controls: tuple[str, ...] = CONTROLS
) -> dict[str, np.ndarray]:
    """Control -> by how many % the candidate changes its error, per seed."""
    ours = np.array(errors["mine_uae"])
    return {arm: 100.0 * (ours / np.array(errors[arm]) - 1.0) for arm in controls}


def cells(changes: Mapping[str, np.ndarray]) -> list[str]:
    """Mean and standard deviation over seeds, one text for each control."""
    return [
        f"{fixed(c.mean(), 1, signed=True)} {PLUS_MINUS} {fixed(c.std(ddof=1), 1)}"
        for c in changes.values()
    ]


def told(changes: Mapping[str, Any]) -> str:
    """A setting in words."""
    found = ", ".join(f"{name} {value}" for name, value in changes.items())
    return found or "as `uae-tf reconstruct` has it"


def write(
    path: Path, about: str, controls: tuple[str, ...], rows: list[list[str]]
) -> None:
    """Writes a table as docs/results/measured has them."""
    titles = ("setting", *(f"against {arm}, %" for arm in controls))
    columns = [{"title": title} for title in titles]
    table = {"about": about, "columns": columns, "rows": rows}
    text = json.dumps(table, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Searches and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--samples", type=int, default=None)
    parser.add_argument("--model", default="dense")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fresh-seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("runs/settings"))
    options = parser.parse_args()
    data = uae_tf.datasets.load(options.dataset, options.data_dir, options.samples)
    held_out = data.validation_split(0.2)
    measure = measurer(options.model, options.epochs, options.out)

    found = []
    for number, changes in enumerate(TRIED):
        x = (held_out.x_train, held_out.x_test)
        result = measure(f"tried-{number}", *x, changes, seeds=options.seeds)
        found.append(changes_of(result.test_errors))
        print(told(changes), cells(found[-1]), flush=True)
    rows = [[told(tried), *cells(row)] for tried, row in zip(TRIED, found, strict=True)]
    about = f"{len(TRIED)} settings, held-out training images, {options.seeds} seeds."
    write(options.out / "tried.json", about, CONTROLS, rows)

    numbers = range(len(TRIED))
    best = {
        # Of the controls, the one that the candidate gains least on counts.
        min(numbers, key=lambda i: max(c.mean() for c in found[i].values())),
        min(numbers, key=lambda i: found[i][WITHOUT].mean()),
    }
    rows, last = [], (*CONTROLS, TUNED)
    for number in sorted(best):
        result = measure(
            f"chosen-{number}",
            data.x_train,
            data.x_test,
            TRIED[number],
            last,
            seeds=options.fresh_seeds,
            seed=FRESH_SEED,
        )
        rows.append([told(TRIED[number]), *cells(changes_of(result.test_errors, last))])
        print(rows[-1], result.verdict, flush=True)
    about = f"Test images, {options.fresh_seeds} seeds that nothing was chosen by."
    write(options.out / "chosen.json", about, last, rows)


if __name__ == "__main__":
    main()
