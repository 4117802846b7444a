"""Train and export the models of the folder models/, each original and UAE-retrained.

The settings are those of the tables in docs/RESULTS.md, first seed: an original, then
an attack on it, then a model of the same kind trained from scratch with the attack's
examples, both for the same number of updates. Writes new versions (what is there is
never overwritten) and the table in the folder's README.md, if it has one.

Usage: python scripts/make_models.py [--data-dir FOLDER] [--models digits_dense ...]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import uae_tf
from uae_tf.evaluation import reconstruction_errors
from uae_tf.files import write_atomic

DATA = {
    "digits": "Optical Recognition of Handwritten Digits (UCI), as in scikit-learn: "
    "8x8 images, 1,437 for training, 360 for testing",
    "mnist": "MNIST: 28x28 images, the first 2,000 of the training split, all 10,000 "
    "of the test split",
}
LICENCES = {"digits": "CC BY 4.0", "mnist": "CC BY-SA 3.0"}
SEED = 0
TABLE = "<!-- table -->"


@dataclass(frozen=True)
class Job:
    """What is trained: a kind of autoencoder on samples, so many epochs over 2 N."""

    dataset: str
    kind: str
    samples: int | None
    epochs: int

    @property
    def name(self) -> str:
        """Of the original; the retrained one's ends in ``_uae``."""
        return f"{self.dataset}_{self.kind}"


JOBS = (
    Job("digits", "dense", None, 20),
    Job("mnist", "dense", 2000, 75),
    Job("mnist", "sparse", 2000, 75),
    Job("mnist", "conv", 2000, 10),
)


def make(job: Job, directory: Path, data_dir: str | None) -> None:
    """Trains, attacks, retrains and exports both models of a job."""
    data = uae_tf.datasets.load(job.dataset, data_dir, job.samples)
    x, recipe = data.x_train, uae_tf.models.recipe(job.kind, "modern")
    updates = job.epochs * -(-2 * len(x) // recipe.batch_size)

    def factory() -> keras.Model:
        return uae_tf.models.build(job.kind, data.sample_shape, recipe="modern")

    def train(inputs: np.ndarray) -> keras.Model:
        return uae_tf.retrain(
            factory, inputs, updates=updates, batch_size=recipe.batch_size, seed=SEED
        ).model

    def save(model: keras.Model, name: str, description: str, **metrics: float) -> None:
        errors = {
            "test_error": reconstruction_errors(model, data.x_test).mean(),
            "train_error": reconstruction_errors(model, x).mean(),
        }
        path = uae_tf.export(
            model,
            directory,
            name=name,
            attack=strong_attack(model),
            card={
                "description": description,
                "data": DATA[job.dataset],
                "licence": LICENCES[job.dataset],
                "settings": {
                    "model": job.kind,
                    "recipe": "modern",
                    "samples": len(x),
                    "updates": updates,
                    "batch_size": recipe.batch_size,
                    "made_by": "scripts/make_models.py",
                },
                "seeds": {"weights_and_order": SEED, "attack": SEED},
                "metrics": {**errors, **metrics},
            },
        )
        print(f"{path}: test error {errors['test_error']:.6f}", flush=True)

    original = train(x)
    save(original, job.name, f"{job.kind} autoencoder, trained on the data as they are")
    result = strong_attack(original)(x)
    save(
        train(np.concatenate([x, result.augmented(x)])),
        f"{job.name}_uae",
        f"{job.kind} autoencoder, trained on the data and on the unsupervised "
        f"adversarial examples of {job.name}",
        attack_success_rate=result.success_rate,
    )


def strong_attack(model: keras.Model) -> uae_tf.MinMaxAttack:
    """The attack of the tables: strong start noise, MINE."""
    criterion = uae_tf.Reconstruction(model)
    return uae_tf.MinMaxAttack.from_preset("strong", criterion, seed=SEED)


def write_table(directory: Path) -> None:
    """Puts the numbers of all cards into the README's table."""
    readme = directory / "README.md"
    if not readme.exists():
        return
    lines = [
        "| model | version | data | test error | training error | parameters | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted(directory.glob("*/*/card.json")):
        card: dict[str, Any] = json.loads(path.read_text())
        files = (file for file in path.parent.rglob("*") if file.is_file())
        size = sum(file.stat().st_size for file in files) / 1e6
        metrics = card["metrics"]
        lines.append(
            f"| `{card['name']}` | {card['version']} | {card['data'].split(':')[0]} "
            f"| {metrics['test_error']:.6f} | {metrics['train_error']:.6f} "
            f"| {card['model']['parameters']:,} | {size:.1f} |"
        )
    before, _, rest = readme.read_text(encoding="utf-8").partition(TABLE)
    after = rest.rpartition(TABLE)[2]
    text = "\n".join([before + TABLE, *lines, TABLE + after])
    write_atomic(readme, text.encode())


def main() -> None:
    """Makes the models named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [job.name for job in JOBS]
    parser.add_argument("--data-dir", help="folder of prepared tensorflow-datasets")
    parser.add_argument("--directory", type=Path, default=Path("models"))
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    for job in JOBS:
        if job.name in arguments.models:
            make(job, arguments.directory, arguments.data_dir)
    write_table(arguments.directory)


if __name__ == "__main__":
    main()
