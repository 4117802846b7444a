"""Train and export the models of the folder models/: autoencoders and classifiers.

Autoencoders: the settings are those of the tables in docs/RESULTS.md, first seed: an
original, then an attack on it, then a model of the same kind trained from scratch with
the attack's examples, both for the same number of updates. Classifiers: by their
"modern" recipe, and beside the SavedModel a `.keras` file with the same weights, so
that attacks written in Python can take them.

Writes new versions (what is there is never overwritten) and the tables in the folder's
README.md, if it has one.

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
from uae_tf.evaluation import error_rate, reconstruction_errors
from uae_tf.evaluation.robustness import robust_accuracy
from uae_tf.experiments.supervised.robust_training import train_robust
from uae_tf.files import write_atomic

DATA = {
    "digits": "Optical Recognition of Handwritten Digits (UCI), as in scikit-learn: "
    "8x8 images, 1,437 for training, 360 for testing",
    "mnist": "MNIST: 28x28 images, the first 2,000 of the training split, all 10,000 "
    "of the test split",
}
CLASSIFIED = {
    "mnist": "MNIST: 28x28 images, 60,000 for training, 10,000 for testing",
    "cifar10": "CIFAR-10, a JPEG copy of it: 32x32 colour images, 50,000 for training, "
    "10,000 for testing",
}
LICENCES = {
    "digits": "CC BY 4.0",
    "mnist": "CC BY-SA 3.0",
    "cifar10": "none stated by its authors (A. Krizhevsky)",
}
SEED = 0
TABLE, CLASSIFIERS = "<!-- table -->", "<!-- classifiers -->"
#: Of a SavedModel: what is beside the graph. Servers leave it alone.
BESIDE = Path("assets.extra", "model.keras")


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


@dataclass(frozen=True)
class ClassifierJob:
    """A classifier, by the modern recipe of its data set."""

    name: str
    dataset: str
    seed: int
    description: str
    is_attacked: bool = True


CLASSIFIER_JOBS = (
    ClassifierJob("mnist_classifier", "mnist", 0, "the classifier that is attacked"),
    ClassifierJob(
        "cifar10_classifier", "cifar10", 0, "the classifier that is attacked"
    ),
    ClassifierJob(
        "cifar10_features",
        "cifar10",
        1,
        "whose last hidden layer is the feature space of Frechet and kernel distances; "
        "never attacked, and of other initial weights than cifar10_classifier",
        is_attacked=False,
    ),
)


#: The adversarially trained one: its epochs (uae_tf's train_robust).
ROBUST, ROBUST_EPOCHS = "mnist_robust", 20
ROBUST_JUDGED = 1000


def make_classifier(job: ClassifierJob, directory: Path, data_dir: str | None) -> None:
    """Trains and exports the classifier of a job."""
    data = uae_tf.datasets.load(job.dataset, data_dir)
    recipe = uae_tf.models.classifier_recipe(job.dataset, "modern")
    keras.utils.set_random_seed(job.seed)
    trained = uae_tf.models.build_classifier(job.dataset, "modern")
    trained.fit(
        *(data.x_train, data.y_train),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=2,
    )
    settings = {
        "recipe": "modern",
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
    }
    _export_classifier(job, trained, data, settings, directory)


def make_robust(directory: Path, data_dir: str | None) -> None:
    """Trains a classifier adversarially, through `UAECallback`, and exports it.

    A twelfth of the training images is held out: it is what the settings were chosen
    on, and what progress is printed of.
    """
    whole = uae_tf.datasets.load("mnist", data_dir)
    held = whole.validation_split(1 / 12)
    judge = (held.x_test[:300], held.y_test[:300])

    def report(phase: int, logs: Any) -> None:
        if phase % 27 == 26:
            found = robust_accuracy(trained_so_far(), *judge, restarts=1)
            print(f"phase {phase + 1}: robust on held out {found:.3f}", flush=True)

    progress = keras.callbacks.LambdaCallback(on_epoch_end=report)

    def trained_so_far() -> keras.Model:
        return progress.model

    trained = train_robust(
        *(held.x_train, held.y_train),
        epochs=ROBUST_EPOCHS,
        seed=SEED,
        callbacks=[progress],
    )
    rates = {
        "robust_accuracy_linf_0.3": robust_accuracy(
            trained, whole.x_test[:ROBUST_JUDGED], whole.y_test[:ROBUST_JUDGED]
        ),
    }
    job = ClassifierJob(ROBUST, "mnist", SEED, "small and trained on PGD examples")
    settings = {
        "samples": len(held.x_train),
        "epochs": ROBUST_EPOCHS,
        "judged_by": f"PGD-40, 5 restarts, first {ROBUST_JUDGED} test images",
    }
    _export_classifier(job, trained, whole, settings, directory, rates)


def _export_classifier(
    job: ClassifierJob,
    trained: keras.Model,
    data: uae_tf.datasets.Dataset,
    settings: dict[str, Any],
    directory: Path,
    further: dict[str, float] | None = None,
) -> None:
    # Without the optimizer, whose state would triple the file.
    model = type(trained).from_config(trained.get_config())
    model.set_weights(trained.get_weights())
    rates = {
        "test_error_rate": error_rate(model, data.x_test, data.y_test),
        "train_error_rate": error_rate(model, data.x_train, data.y_train),
        **(further or {}),
    }
    attack = None
    if job.is_attacked:
        attack = uae_tf.MinMaxAttack(uae_tf.UntargetedMargin(model), seed=SEED)
    path = uae_tf.export(
        model,
        directory,
        name=job.name,
        attack=attack,
        encoder=keras.Model(model.inputs, model.layers[-1].input),
        card={
            "description": f"classifier: {job.description}",
            "data": CLASSIFIED[job.dataset],
            "licence": LICENCES[job.dataset],
            "settings": {
                **settings,
                "model": type(model).__name__,
                "made_by": "scripts/make_models.py",
            },
            "seeds": {"weights_and_order": job.seed, "attack": SEED},
            "metrics": rates,
        },
    )
    (path / BESIDE).parent.mkdir()
    model.save(path / BESIDE)
    print(f"{path}: {rates}", flush=True)


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
    text = readme.read_text(encoding="utf-8")
    for mark, names, digits in (
        (TABLE, ("test_error", "train_error"), 6),
        (CLASSIFIERS, ("test_error_rate", "train_error_rate"), 4),
    ):
        before, _, rest = text.partition(mark)
        after = rest.rpartition(mark)[2]
        lines = _table_lines(directory, names, digits)
        text = "\n".join([before + mark, *lines, mark + after])
    write_atomic(readme, text.encode())


def _table_lines(directory: Path, names: tuple[str, str], digits: int) -> list[str]:
    """Rows of the models whose cards hold these metrics, under a header."""
    test, train = (
        name.replace("train", "training").replace("_", " ") for name in names
    )
    lines = [
        f"| model | version | data | {test} | {train} | parameters | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted(directory.glob("*/*/card.json")):
        card: dict[str, Any] = json.loads(path.read_text())
        metrics = card["metrics"]
        if names[0] not in metrics:
            continue
        files = (file for file in path.parent.rglob("*") if file.is_file())
        size = sum(file.stat().st_size for file in files) / 1e6
        lines.append(
            f"| `{card['name']}` | {card['version']} | {card['data'].split(':')[0]} "
            f"| {metrics[names[0]]:.{digits}f} | {metrics[names[1]]:.{digits}f} "
            f"| {card['model']['parameters']:,} | {size:.1f} |"
        )
    return lines


def main() -> None:
    """Makes the models named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [*(job.name for job in (*JOBS, *CLASSIFIER_JOBS)), ROBUST]
    parser.add_argument("--data-dir", help="folder of prepared tensorflow-datasets")
    parser.add_argument("--directory", type=Path, default=Path("models"))
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    for job in JOBS:
        if job.name in arguments.models:
            make(job, arguments.directory, arguments.data_dir)
    for job in CLASSIFIER_JOBS:
        if job.name in arguments.models:
            make_classifier(job, arguments.directory, arguments.data_dir)
    if ROBUST in arguments.models:
        make_robust(arguments.directory, arguments.data_dir)
    write_table(arguments.directory)


if __name__ == "__main__":
    main()
