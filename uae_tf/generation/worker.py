"""The unit of work: one shard, from (settings, model file, sample ids) alone."""

from __future__ import annotations

import hashlib
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from ..attacks import Attack, AttackResult
from ..processes import share_machine
from ..training.seeds import seed_states
from .errors import GenerationError, SinkError
from .journal import Failure, Record
from .plan import Plan
from .shards import write_shard
from .sources import Source, open_source

MODEL = "model.keras"


@dataclass(frozen=True)
class Job:
    """What a worker must know; small and picklable, but for a source of arrays.

    Attributes:
        plan: of the run.
        directory: of the run; every machine must see it under this name.
        data: the source, or how it is opened.
        data_dir: see `open_source`.
        workers: how many there are.
    """

    plan: Plan
    directory: Path
    data: Source | str
    data_dir: str | None = None
    workers: int = 1


class ShardWorker:
    """Holds the model and the compiled attack, and computes shards.

    Args:
        job: the run.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._source: Source | None = None
        self._attack: Attack | None = None

    def start(self, threads: int | None = None) -> Failure | None:
        """Opens the source, loads the model and builds the attack.

        Args:
            threads: TensorFlow may use; None leaves it as it is.

        Returns:
            None, or why no shard can be computed.
        """
        try:
            if threads is not None:
                share_machine(threads)
            # First, because a user's module may register classes of the model.
            self._source = _opened(self.job)
            self._attack = build_attack(self.job.plan, self.job.directory)
        except Exception as error:
            return Failure(-1, _describe(error), is_fatal=True)
        return None

    def attempt(self, shard: int) -> Record | Failure:
        """Computes and writes one shard. An error is an answer, not an exception."""
        try:
            return self._compute(shard)
        except SinkError as error:
            return Failure(shard, str(error), is_fatal=True)
        except Exception as error:
            return Failure(shard, _describe(error))

    def _compute(self, shard: int) -> Record:
        if self._source is None or self._attack is None:
            raise GenerationError("The worker was not started.")
        start = time.perf_counter()
        plan = self.job.plan
        ids = plan.rows(shard)
        x, y = self._source.read(ids.start, ids.stop)
        result = attack_rows(self._attack, x, y, ids, plan.batch_size)
        digest = write_shard(self.job.directory, plan, shard, result)
        return Record(
            shard=shard,
            samples=len(result),
            successes=int(result.success.sum()),
            not_finite=int((~result.is_finite).sum()),
            size=(self.job.directory / plan.shard_name(shard)).stat().st_size,
            sha256=digest,
            seconds=round(time.perf_counter() - start, 4),
            workers=self.job.workers,
        )


def attack_rows(
    attack: Attack,
    x: np.ndarray,
    y: np.ndarray | None,
    ids: range,
    batch_size: int,
) -> AttackResult:
    """Attacks samples as stored, whatever is among them.

    A sample with NaN or infinite values is not attacked: it comes back as it is, with
    `success` and `is_finite` False and NaN for everything measured. Its neighbours are
    what they would be beside any other sample.
    """
    x = as_floats(x, attack.bounds)
    y = labels_for(attack, y)
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not finite.any():
        unknown = np.full(len(x), np.nan, np.float32)
        return AttackResult(x, finite, *[unknown] * 4, is_finite=finite)
    attacked = x
    if not finite.all():
        # Rows that can be computed keep the batches as they are: copies of one that
        # the criterion takes with its label.
        chosen = np.flatnonzero(finite)[0]
        attacked = x.copy()
        attacked[~finite] = x[chosen]
        y = None if y is None else np.where(finite, y, y[chosen])
    with warnings.catch_warnings():
        # What an attack says of a whole call would come once for each shard.
        warnings.filterwarnings("ignore", category=UserWarning, module="uae_tf")
        result = attack(
            attacked,
            y,
            batch_size=batch_size,
            sample_ids=np.arange(ids.start, ids.stop),
        )
    if finite.all():
        return result
    row_mask = finite.reshape(-1, *[1] * (x.ndim - 1))
    measured = {
        name: np.where(finite, getattr(result, name), np.float32(np.nan))
        for name in ("similarity", "criterion", "l2", "linf")
    }
    return replace(
        result,
        examples=np.where(row_mask, result.examples, x),
        success=result.success & finite,
        is_finite=result.is_finite & finite,
        **measured,
    )


def labels_for(attack: Attack, y: np.ndarray | None) -> np.ndarray | None:
    """The source's labels, where the attack's criterion wants any."""
    wants = attack.criterion is not None and attack.criterion.needs_labels
    return y if wants else None


def as_floats(x: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """float32 samples; 8-bit values 0 and 255 become the bounds."""
    if x.dtype == np.uint8:
        low, high = bounds
        unit = np.divide(x, np.float32(255), dtype=np.float32)
        # By rounding 255 can come out one float32 above the bound, which is refused.
        scaled = unit * np.float32(high - low) + np.float32(low)
        return np.clip(scaled, np.float32(low), np.float32(high))
    if x.dtype.kind != "f":
        raise GenerationError(
            "A source must give floating point or 8-bit (uint8) samples. Received: "
            f"dtype {x.dtype}"
        )
    return x.astype(np.float32, copy=False)


def build_attack(plan: Plan, directory: Path) -> Attack:
    """The run's attack on the run's own copy of the model.

    Raises:
        GenerationError: that file is not the one the run began with.
    """
    model = None
    if plan.model is not None:
        model = load_model(directory / MODEL, plan)
    kind = keras.saving.get_registered_object(plan.attack["class"])
    if not (isinstance(kind, type) and issubclass(kind, Attack)):
        raise GenerationError(
            f"There is no attack {plan.attack['class']!r} here. If it is your own, "
            "register it with keras.saving.register_keras_serializable in a module "
            "that every worker imports."
        )
    return kind.from_config(plan.attack["config"], model)


def load_model(path: Path, plan: Plan) -> keras.Model:
    """A model that must have the weights the run began with. Runs no code of the file.

    What it draws itself, such as the code of a variational autoencoder, it draws alike
    in every process.

    Raises:
        GenerationError: other weights.
        ValueError, OSError: from Keras: no such file, or one with code in it.
    """
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    if describe_model(model) != plan.model:
        raise GenerationError(
            f"{path} is not the model of this run. Expected {plan.model}. Received: "
            f"{describe_model(model)}"
        )
    # Files leave these out, and without a seed Keras takes another one at every load.
    for number, state in enumerate(seed_states(model)):
        state.assign([number, 0])
    return model


def describe_model(model: keras.Model) -> dict[str, str]:
    """A model's class, and the sha256 of its weights in order."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(repr((weights.shape, weights.dtype.str)).encode())
        digest.update(np.ascontiguousarray(weights).tobytes())
    return {"class": type(model).__name__, "weights": digest.hexdigest()}


def _opened(job: Job) -> Source:
    if isinstance(job.data, Source):
        return job.data
    return open_source(job.data, job.data_dir)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
