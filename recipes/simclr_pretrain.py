r"""Pre-train SimCLR on CIFAR-10 by the paper's recipe, on one accelerator.

    python recipes/simclr_pretrain.py pack --data-dir TFDS --data cifar10.npz
    KERAS_BACKEND=jax python recipes/simclr_pretrain.py train --data cifar10.npz \
        --out run --epochs 500 --until-seconds 480
    KERAS_BACKEND=jax python recipes/simclr_pretrain.py train --data cifar10.npz \
        --out run2 --epochs 500 --until-seconds 480 --resume run

`train` needs no TensorFlow. It stops by itself before `--until-seconds` have passed and
can be resumed; the learning rate follows `--epochs` as if nothing had happened. It
writes to `--out`, no file above 16 MiB: `log.jsonl` (one line per epoch), `state.json`,
the weights of encoder and projection in float16, the optimizer's state in bfloat16
(`optimizer-*.npz`; a run resumes without it too, with its momentum lost). A resumed run
therefore equals a straight one up to this rounding. At the end a linear probe trains
100 epochs on the frozen encoder. Load the encoder anywhere:

    encoder = uae_tf.models.ResNet18()
    uae_tf.models.load_weight_parts(encoder.weights, "run", name="encoder")

Recipe: SPEC 6.1-6.4. NT-Xent is the mean over both directions; the reference sums them.
LARS does not see that factor, but decay and the excluded variables do.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STARTED = time.monotonic()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import ops  # noqa: E402
from resident import (  # noqa: E402
    ImageTable,
    ShuffledIndices,
    TableViews,
    pack,
    unpack,
)

from uae_tf.compatibility import is_compatible  # noqa: E402
from uae_tf.models import (  # noqa: E402
    ResNet18,
    SimCLR,
    SimCLRAugment,
    load_weight_parts,
    save_weight_parts,
)
from uae_tf.optimizers import LARS, simclr_schedule  # noqa: E402


@dataclass(frozen=True)
class Settings:
    """What a resumed run must have in common with the one it resumes."""

    epochs: int = 500
    batch_size: int = 512
    width: int = 64
    base_rate: float = 1.0
    warmup_epochs: int = 10
    weight_decay: float = 1e-4
    temperature: float = 0.5
    strength: float = 0.5
    dtype: str = "mixed_bfloat16"
    samples: int | None = None
    seed: int = 0


class Pretraining:
    """The model, its data on the accelerator, and where a run stands."""

    def __init__(self, settings: Settings, data: str, out: Path) -> None:
        self.settings, self.out = settings, out
        self.epoch = 0
        splits = unpack(data, settings.samples)
        (images, self.labels), (test_images, self.test_labels) = splits.values()
        self.samples = len(images)
        keras.utils.set_random_seed(settings.seed)
        self.table = ImageTable(np.concatenate([images, test_images]))
        self.encoder = ResNet18(width=settings.width, dtype=settings.dtype)
        self.views = SimCLRAugment(strength=settings.strength, seed=settings.seed)
        self.model = SimCLR(
            self.encoder,
            temperature=settings.temperature,
            augment=TableViews(self.table, self.views),
        )
        steps = self.samples // settings.batch_size
        schedule = simclr_schedule(
            settings.base_rate,
            settings.batch_size,
            steps * settings.epochs,
            steps * settings.warmup_epochs,
        )
        optimizer = LARS(schedule, weight_decay=settings.weight_decay)
        self.model.compile(optimizer, jit_compile=True)
        optimizer.build(self.model.trainable_variables)
        indices = keras.Input((), dtype="int32")
        features = self.encoder(self.table(indices), training=False)
        self.features = keras.Model(indices, features)

    def train(self, until_seconds: float, knn_every: int, save_every: int) -> None:
        """Train until the last epoch, or as long as there is time."""
        settings = self.settings
        data = ShuffledIndices(
            self.samples, settings.batch_size, settings.seed, self.epoch
        )
        self.model.fit(
            data,
            initial_epoch=self.epoch,
            epochs=settings.epochs,
            callbacks=[Epochs(self, until_seconds, knn_every, save_every)],
            verbose=0,
        )

    def log(self, row: dict[str, Any]) -> None:
        """Print a row and append it to the log."""
        print(json.dumps(row), flush=True)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Write weights, the optimizer's state and the epoch."""
        save_weight_parts(self.encoder.weights, self.out, "encoder")
        save_weight_parts(self.model.projection.weights, self.out, "projection")
        optimizer = self.model.optimizer.variables
        save_weight_parts(optimizer, self.out, "optimizer", dtype="bfloat16")
        state = {"epoch": self.epoch, "settings": asdict(self.settings)}
        (self.out / "state.json").write_text(json.dumps(state, indent=1))

    def resume(self, folder: Path) -> None:
        """Go on from what `save` wrote."""
        state = json.loads((folder / "state.json").read_text())
        is_compatible(state["settings"], asdict(self.settings))
        load_weight_parts(self.encoder.weights, folder, "encoder")
        load_weight_parts(self.model.projection.weights, folder, "projection")
        self.epoch = state["epoch"]
        steps = self.samples // self.settings.batch_size
        optimizer = self.model.optimizer
        if (folder / "optimizer-0.npz").exists():
            load_weight_parts(optimizer.variables, folder, "optimizer")
        else:
            optimizer.iterations.assign(steps * self.epoch)
            print("no optimizer-*.npz: momentum starts anew")
        # Views that no earlier epoch has seen.
        state_of_seed = self.views.seed_generator.state
        state_of_seed.assign([self.settings.seed, 2 * steps * self.epoch])

    def knn_accuracy(self) -> float:
        """Accuracy on the test split by the nearest images of the training split."""
        indices = np.arange(self.samples + len(self.test_labels), dtype=np.int32)
        features = self.features.predict(indices, batch_size=1000, verbose=0)
        train, test = features[: self.samples], features[self.samples :]
        return knn_accuracy(train, self.labels, test, self.test_labels)

    def probe_accuracy(self, epochs: int) -> tuple[float, float]:
        """Train a linear layer on the frozen encoder; accuracy on train and test.

        SPEC 6.2: Nesterov momentum 0.9, rate 0.2, batch 512, crop and mirror images.
        The accuracy on the training split is that of the last, augmented epoch.
        """
        self.encoder.trainable = False
        before = [weight.numpy() for weight in self.encoder.weights]
        crop = SimCLRAugment(strength=0.0, grey_probability=0.0, seed=1)
        indices = keras.Input((), dtype="int32")
        features = self.encoder(crop(self.table(indices)), training=False)
        head = keras.layers.Dense(
            10, kernel_initializer="zeros", name="head", dtype="float32"
        )
        probe = keras.Model(indices, head(features))
        probe.compile(
            keras.optimizers.SGD(0.2, momentum=0.9, nesterov=True),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=True,
        )
        batch_size = min(512, self.samples)
        data = ShuffledIndices(self.samples, batch_size, 1, labels=self.labels)
        history = probe.fit(data, epochs=epochs, verbose=0)
        test = self.samples + np.arange(len(self.test_labels), dtype=np.int32)
        result = probe.evaluate(
            test, self.test_labels, batch_size=1000, verbose=0, return_dict=True
        )
        for old, weight in zip(before, self.encoder.weights, strict=True):
            np.testing.assert_array_equal(old, weight.numpy(), weight.path)
        return history.history["accuracy"][-1], result["accuracy"]


def knn_accuracy(
    features: np.ndarray,
    labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    neighbours: int = 200,
    temperature: float = 0.1,
) -> float:
    """Weighted k-nearest-neighbour accuracy, in [0, 1], on the accelerator.

    The nearest by cosine vote for their class with `exp(cosine / temperature)`.

    Args:
        features: (N, d) of the images that vote.
        labels: (N,) their classes, 0 to 9.
        test_features: (M, d).
        test_labels: (M,).
        neighbours: How many vote, at most N.
        temperature: Of the votes.
    """
    train, test = (
        ops.normalize(ops.convert_to_tensor(x), axis=1)
        for x in (features, test_features)
    )
    votes_of = ops.one_hot(labels, 10)
    hits = 0
    for start in range(0, len(test_labels), 1000):
        cosines = ops.matmul(test[start : start + 1000], ops.transpose(train))
        nearest, which = ops.top_k(cosines, min(neighbours, len(labels)))
        weights = ops.exp(nearest / temperature)[..., None]
        votes = ops.sum(weights * ops.take(votes_of, which, axis=0), axis=1)
        guesses = ops.convert_to_numpy(ops.argmax(votes, axis=1))
        hits += int(np.sum(guesses == test_labels[start : start + 1000]))
    return hits / len(test_labels)


class Epochs(keras.callbacks.Callback):
    """Log each epoch, measure and save now and then, and stop in time."""

    def __init__(
        self, run: Pretraining, until_seconds: float, knn_every: int, save_every: int
    ) -> None:
        super().__init__()
        self.run, self.until_seconds = run, until_seconds
        self.knn_every, self.save_every = knn_every, save_every
        self.longest = 0.0
        self.epochs_here = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log; stop if another epoch as long as the longest would not fit."""
        seconds = time.monotonic() - self.begun
        settings = self.run.settings
        images = self.run.samples // settings.batch_size * settings.batch_size
        self.run.epoch = epoch + 1
        self.epochs_here += 1
        row = {
            "epoch": epoch + 1,
            **{name: round(float(value), 5) for name, value in (logs or {}).items()},
            "images_per_second": round(images / seconds),
            "seconds": round(seconds, 2),
        }
        is_last = epoch + 1 == settings.epochs
        if is_last or (epoch + 1) % self.knn_every == 0:
            row["knn"] = self.run.knn_accuracy()
        self.run.log({**row, "elapsed": round(time.monotonic() - STARTED, 1)})
        if (epoch + 1) % self.save_every == 0:
            self.run.save()
        # The first epoch of a process holds the compilation.
        if self.epochs_here > 1:
            self.longest = max(self.longest, time.monotonic() - self.begun)
        if time.monotonic() - STARTED + 1.5 * self.longest > self.until_seconds:
            self.model.stop_training = True


def train(options: argparse.Namespace) -> None:
    """Run the `train` command."""
    options.out.mkdir(parents=True, exist_ok=True)
    names = Settings.__dataclass_fields__
    settings = Settings(**{name: getattr(options, name) for name in names})
    run = Pretraining(settings, options.data, options.out)
    if options.resume:
        run.resume(options.resume)
    print(f"data and model ready after {time.monotonic() - STARTED:.1f} s", flush=True)
    run.train(options.until_seconds, options.knn_every, options.save_every)
    run.save()
    row: dict[str, Any] = {"epoch": run.epoch, "knn": run.knn_accuracy()}
    if options.probe_epochs:
        row["probe_epochs"] = options.probe_epochs
        row["probe_train"], row["probe_test"] = run.probe_accuracy(options.probe_epochs)
    run.log({**row, "elapsed": round(time.monotonic() - STARTED, 1)})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("pack", "train"))
    parser.add_argument("--data", required=True, help="the packed file")
    parser.add_argument("--data-dir", help="pack: folder of tensorflow-datasets")
    parser.add_argument("--out", type=Path, default=Path("simclr-run"))
    parser.add_argument("--resume", type=Path, help="folder of the run to go on with")
    parser.add_argument("--until-seconds", type=float, default=float("inf"))
    parser.add_argument("--knn-every", type=int, default=10, help="epochs")
    parser.add_argument("--save-every", type=int, default=50, help="epochs")
    parser.add_argument("--probe-epochs", type=int, default=100, help="0: no probe")
    for name, value in asdict(Settings()).items():
        kind = int if value is None else type(value)
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=value, help=f"{value}")
    options = parser.parse_args()
    if options.command == "pack":
        pack(options.data_dir, options.data)
    else:
        train(options)


if __name__ == "__main__":
    main()
