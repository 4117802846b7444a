"""Does the similarity term add anything to the criterion, in any setting?

Tries settings of the attack, each with and without the similarity, and compares the two
on held-out training images. Then measures the best of them on the test images, with
other seeds, beside a duplicate of the data. Prints a JSON table for docs/results.

python benchmarks/similarity_search.py --dataset digits --out runs/similarity
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

import uae_tf

#: What is tried, each for all seeds: every line differs from the first in one thing.
TRIED: tuple[dict[str, Any], ...] = (
    {"preset": "strong"},
    {"preset": "default"},
    {"preset": "paper"},
    {"preset": "strong", "similarity_weight": 10.0},
    {"preset": "strong", "similarity_weight": 100.0},
    {"preset": "strong", "similarity_weight": -1.0},
    {"preset": "strong", "similarity": "gaussian"},
    {"preset": "strong", "similarity": "gaussian", "similarity_weight": 10.0},
    {"preset": "strong", "target": "clean"},
    {"preset": "strong", "copies": 3},
    {"preset": "strong", "rounds": 2},
    {"preset": "strong", "steps": 120},
)
#: Seeds of the last comparison, which no setting was chosen by.
FRESH_SEED = 100


def factory(kind: str, shape: tuple[int, ...]) -> Callable[[], keras.Model]:
    """Makes new, compiled models of the recipe "modern"."""
    return lambda: uae_tf.models.build(kind, shape, recipe="modern")


def gain(errors: dict[str, list[float]]) -> np.ndarray:
    """By how many percent the similarity lowers the error, per seed."""
    without, with_it = (np.array(errors[arm]) for arm in ("criterion_only", "mine_uae"))
    return 100.0 * (without - with_it) / without


def main() -> None:
    """Searches and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--samples", type=int, default=None)
    parser.add_argument("--model", default="dense")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fresh-seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("runs/similarity"))
    options = parser.parse_args()
    data = uae_tf.datasets.load(options.dataset, options.data_dir, options.samples)
    held_out = data.validation_split(0.2)
    make = factory(options.model, data.sample_shape)

    def measure(name: str, x_train: Any, x_test: Any, **settings: Any) -> Any:
        return uae_tf.compare(
            make,
            x_train,
            x_test,
            epochs=options.epochs,
            out=options.out / name,
            console=Console(quiet=True),
            resume=(options.out / name / "results.json").exists(),
            **settings,
        )

    rows = []
    for number, settings in enumerate(TRIED):
        found = measure(
            f"tried-{number}",
            held_out.x_train,
            held_out.x_test,
            arms=("criterion_only", "mine_uae"),
            seeds=options.seeds,
            **settings,
        )
        gains = gain(found.test_errors)
        told = ", ".join(f"{name} {value}" for name, value in settings.items())
        rows.append([told, float(gains.mean()), float(gains.std(ddof=1))])
        print(json.dumps(rows[-1]), flush=True)
    best = int(np.argmax([row[1] for row in rows]))
    found = measure(
        "chosen",
        data.x_train,
        data.x_test,
        arms=("original", "duplicated", "criterion_only", "mine_uae"),
        seeds=options.fresh_seeds,
        seed=FRESH_SEED,
        **TRIED[best],
    )
    gains = gain(found.test_errors)
    print(json.dumps({"chosen": rows[best][0], "test gains in %": list(gains)}))
    print(found)


if __name__ == "__main__":
    main()
