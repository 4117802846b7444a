"""What a generator of adversarial examples must not tell the classifier.

Plays the game of `AdversarialGeneratorTraining` with the slides' generator, with
bounded changes, and with bounded changes whose sign the sample decides, as z is the
same for all; each time moving the classifier's prediction of G(x, z) alone or of x as
well. Compares with the labels alone and VAT. Writes a table for docs/results/measured.

python benchmarks/generator_targets.py --datasets digits circles
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

from uae_tf.experiments.report.numbers import PLUS_MINUS, fixed
from uae_tf.experiments.semi_supervised import SemiSupervisedSettings
from uae_tf.experiments.semi_supervised.arms import Trial
from uae_tf.experiments.semi_supervised.bench import Bench
from uae_tf.experiments.semi_supervised.protocols import Protocol
from uae_tf.files import write_json
from uae_tf.models import AdversarialExampleGenerator
from uae_tf.training import AdversarialGeneratorTraining, ConsistencyTraining

#: Seeds that no results file was made with.
FIRST_SEED = 100
#: Data set -> (lengths of VAT and of bounded changes, lambda of the slides' generator).
TRIED = {
    "circles": ((0.02,), 40.0),
    "digits": ((0.3, 1.0), 1.0),
    "mnist": ((2.0,), 3.0),
}


class OneSidedBench(Bench):
    """Trains with whichever prediction is to move; other things as `Bench`."""

    moves_both = False

    def _model(self, *args, **kwargs) -> ConsistencyTraining:
        model = super()._model(*args, **kwargs)
        if isinstance(model, AdversarialGeneratorTraining):
            model.stop_gradient = not self.moves_both
        return model


def of_one_sign(protocol: Protocol) -> Protocol:
    """The protocol with bounded changes that depend on the sample alone."""

    def make(shape, epsilon):
        generator = protocol.bounded(shape, epsilon)
        code, z = generator.decoder.inputs
        changed = generator.decoder([code, keras.ops.ones_like(z)])
        return AdversarialExampleGenerator(
            generator.encoder, keras.Model([code, z], changed)
        )

    return dataclasses.replace(protocol, bounded=make)


def measure(bench: Bench, trial: Trial) -> list[str]:
    """Test error and L2 length of the examples, as cells of a table."""
    settings = bench.settings
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
    parser.add_argument("--seeds", type=int, default=5, help="repetitions")
    parser.add_argument("--updates", type=int, help="default: the data set's")
    out = Path("runs/generator-targets.json")
    parser.add_argument("--out", type=Path, default=out, help="JSON file to write")
    options = parser.parse_args()
    console, rows = Console(), []
    for dataset in options.datasets:
        lengths, lambda_ = TRIED[dataset]
        settings = SemiSupervisedSettings(
            dataset,
            options.data_dir,
            updates=options.updates,
            seeds=options.seeds,
            seed=FIRST_SEED,
        )
        protocol = settings.protocol
        plain = [("the labels alone", Trial("supervised", None), protocol)]
        plain += [(f"VAT, epsilon {e:g}", Trial("vat", e), protocol) for e in lengths]
        slides = f"the slides' generator, lambda {lambda_:g}"
        games = [(slides, Trial("generator", lambda_), protocol)]
        for epsilon in lengths:
            trial = Trial("bounded_generator", epsilon)
            name = f"changes of length {epsilon:g}"
            games += [
                (f"{name}, sign by the sample", trial, of_one_sign(protocol)),
                (f"{name}, either sign", trial, protocol),
            ]
        tried = [(name, "", trial, own, False) for name, trial, own in plain]
        for name, trial, own in games:
            tried.append((name, "G(x, z) alone", trial, own, False))
            tried.append((name, "both", trial, own, True))
        for name, moved, trial, own, moves_both in tried:
            bench = OneSidedBench(settings)
            bench.protocol, bench.moves_both = own, moves_both
            row = [dataset, str(protocol.updates), name, moved]
            rows.append([*row, *measure(bench, trial)])
            console.print(*rows[-1], sep=" | ")
            write_json(options.out, table(rows, options))


def table(rows: list[list[str]], options: argparse.Namespace) -> dict[str, object]:
    """As docs/results/measured holds it."""
    sets = " ".join(options.datasets)
    titles = ("data", "updates", "method", "moved", "test error, %")
    titles += ("L2 of the change",)
    return {
        "about": f"Test errors, {options.seeds} seeds from {FIRST_SEED} on.",
        "columns": [{"title": title} for title in titles],
        "rows": rows,
        "commands": [f"python benchmarks/generator_targets.py --datasets {sets}"],
    }


if __name__ == "__main__":
    main()
