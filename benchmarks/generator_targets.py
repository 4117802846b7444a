"""Should the classifier move its prediction of x too, or of G(x, z) alone?

Plays the game of `AdversarialGeneratorTraining` both ways, against a generator that
reconstructs, one that adds a change, and one whose change costs nothing up to the
protocol's tolerance, and compares with the labels alone and VAT. Writes a table for
docs/results/measured.

python benchmarks/generator_targets.py --datasets digits circles --out runs/targets.json
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from pathlib import Path

import numpy as np
from rich.console import Console

from uae_tf.experiments.report.numbers import PLUS_MINUS, fixed
from uae_tf.experiments.semi_supervised import SemiSupervisedSettings
from uae_tf.experiments.semi_supervised.arms import Trial
from uae_tf.experiments.semi_supervised.bench import Bench
from uae_tf.experiments.semi_supervised.protocols import Protocol
from uae_tf.files import write_json
from uae_tf.models import AdversarialExampleGenerator

#: Seeds that no results file was made with.
FIRST_SEED = 100
#: Data set -> (updates, epsilon of VAT, lambda by generator).
TRIED = {
    "circles": (None, 0.02, {"reconstructing": 40.0}),
    "digits": (None, 0.3, {"reconstructing": 1.0, "residual": 0.3, "tolerated": 1.0}),
    "mnist": (300, 2.0, {"reconstructing": 3.0, "residual": 0.05, "tolerated": 1.0}),
}
#: Data set -> width of the dense layers that reconstruct.
WIDTHS = {"digits": 100, "mnist": 512}


def reconstructing(protocol: Protocol, dataset: str) -> Protocol:
    """The protocol with an autoencoder as generator."""
    if dataset == "circles":
        return protocol
    width = WIDTHS[dataset]
    generator = functools.partial(
        AdversarialExampleGenerator.dense,
        hidden_units=(width,),
        code_dim=width // 8,
        noise_dim=width // 16,
        output_activation="sigmoid",
    )
    return dataclasses.replace(
        protocol,
        generator=generator,
        roles="anchored",
        ceiling="auto",
        tolerance=0.0,
        pretrain_epochs=10,
    )


def measure(
    settings: SemiSupervisedSettings, protocol: Protocol, trial: Trial
) -> list[str]:
    """Test error and L2 length of the examples, as cells of a table."""
    bench = Bench(settings)
    bench.protocol = protocol
    seeds = range(settings.seed, settings.seed + settings.seeds)
    found = [bench.train(trial, seed)[1] for seed in seeds]
    errors = np.array([numbers["test_error"] for numbers in found])
    spread = f" {PLUS_MINUS} {fixed(errors.std(ddof=1), 1)}" if len(errors) > 1 else ""
    lengths = [numbers.get("l2", 0.0) for numbers in found]
    return [fixed(errors.mean(), 1) + spread, fixed(float(np.mean(lengths)), 2)]


def main() -> None:
    """Measures data set after data set and writes the table after each method."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--datasets", nargs="+", choices=TRIED, default=["digits"])
    parser.add_argument("--data-dir", help="folder of prepared data")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args()
    console, rows = Console(), []
    for dataset in options.datasets:
        updates, epsilon, lambdas = TRIED[dataset]
        settings = SemiSupervisedSettings(
            dataset,
            options.data_dir,
            updates=updates,
            seeds=options.seeds,
            seed=FIRST_SEED,
        )
        protocol = settings.protocol
        tried = [
            ("the labels alone", Trial("supervised", None), protocol),
            (f"VAT, epsilon {epsilon:g}", Trial("vat", epsilon), protocol),
        ]
        for kind, value in lambdas.items():
            base = {
                "reconstructing": reconstructing(protocol, dataset),
                "residual": dataclasses.replace(protocol, tolerance=0.0),
                "tolerated": protocol,
            }[kind]
            for is_fixed in (True, False):
                moved = "G(x, z) alone" if is_fixed else "both"
                free = f", tolerance {base.tolerance:g}" if base.tolerance else ""
                shown = kind.replace("tolerated", "residual")
                name = f"{shown} generator, lambda {value:g}{free}; moved: {moved}"
                own = dataclasses.replace(base, stop_gradient=is_fixed)
                tried.append((name, Trial("generator", value), own))
        for name, trial, own in tried:
            row = [dataset, str(settings.protocol.updates), name]
            rows.append([*row, *measure(settings, own, trial)])
            console.print(*rows[-1], sep=" | ")
            write_json(options.out, table(rows, options))


def table(rows: list[list[str]], options: argparse.Namespace) -> dict[str, object]:
    """As docs/results/measured holds it."""
    sets = " ".join(options.datasets)
    titles = ("data", "updates", "method", "test error, %", "L2 of the change")
    return {
        "about": f"Test errors, {options.seeds} seeds from {FIRST_SEED} on.",
        "columns": [{"title": title} for title in titles],
        "rows": rows,
        "commands": [f"python benchmarks/generator_targets.py --datasets {sets}"],
    }


if __name__ == "__main__":
    main()
