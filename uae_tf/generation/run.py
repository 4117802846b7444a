"""Drives a long run: plans it, hands out its shards, and records what is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from ..attacks import Attack
from ..datasets.dataset import prepared_folder
from ..environment import environment
from ..processes import threads_each
from .dispatch import Outcome, Pool, ShouldStop, dispatch, in_process
from .errors import GenerationError
from .journal import JOURNAL, Failure, Record, append, read_journal
from .local_pool import LocalPool
from .manifest import MANIFEST, check_same, read_manifest, write_manifest
from .plan import Plan
from .ray_pool import RayPool
from .shards import find_damage
from .sources import Source, address, as_source
from .status import Status, lock, summarize
from .stopping import polite_stop
from .worker import MODEL, Job, as_floats, describe_model, labels_for, load_model

#: After so many shards failed, the rest would most likely fail as well.
MAX_FAILURES = 10
_COMPUTING = ("tensorflow", "keras", "uae_tf")


def generate(
    attack: Attack,
    data: str | os.PathLike[str] | np.ndarray | Source,
    directory: str | os.PathLike[str],
    *,
    shard_size: int = 1024,
    batch_size: int = 256,
    sink: str = "npz",
    workers: int = 0,
    ray: str | None = None,
    resume: bool = False,
    check: str = "checksum",
    data_dir: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Status:
    """Attacks any number of samples, shard by shard, in a directory that survives.

    Each shard follows from the settings, the model and its sample ids alone. So a run
    that was killed goes on where it was (`resume=True`), on as many workers as there
    are then, and ends with the very files of an undisturbed one.

    Args:
        attack: any registered attack. Its model is saved to the directory, and every
            worker loads that file.
        data: a source as `open_source` takes it, or an array ``(N, *shape)``:
            floating point within the attack's bounds, or 8 bits, whose 0 and 255 stand
            for the bounds.
        directory: for the shards; empty, or that of the same run.
        shard_size: samples per file, best a multiple of `batch_size`.
        batch_size: samples per compiled call.
        sink: "npz" or "tfrecord".
        workers: processes on this machine, which import the script that calls this: it
            must do so below ``if __name__ == "__main__":``. 0 computes in this one. On
            Ray, actors; 0 for one per GPU, or per core where there is none.
        ray: None; "local" for a Ray of its own on this machine; "auto" or an address
            for a cluster.
        resume: go on with a run that is there; without one, begin.
        check: what a file must pass to be kept by `resume`: its "checksum", or for
            terabytes only its "size".
        data_dir: folder of prepared data sets.
        progress: whether to show a bar with the time left.

    Returns:
        The run's `Status`. After SIGTERM it is not complete.

    Raises:
        GenerationError: before any work: a run of other settings, weights, versions or
            data; another driver. Later: a full disk; shards that failed. Finished
            shards are kept and recorded.
        TypeError: `data` is nothing of the above.
        KeyboardInterrupt: after Ctrl-C, once the shards in work are finished.

    Randomness:
        A sample's follows from (attack.seed, its position in the source).

    Cost:
        Memory of one shard per worker, whatever N is.

    Example:
        >>> import tempfile, numpy as np
        >>> from uae_tf import GaussianNoise
        >>> from uae_tf.generation import generate, load
        >>> x = np.random.default_rng(0).random((10, 3), dtype="float32")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = generate(GaussianNoise(0.1), x, folder, shard_size=4)
        ...     result = load(folder)
        >>> done.shards, done.is_complete, result.examples.shape
        (3, True, (10, 3))
    """
    directory = Path(directory).absolute()
    if check not in ("checksum", "size"):
        raise ValueError(
            f'`check` must be "checksum" or "size". Received: check={check!r}'
        )
    # Workers on other machines have another current folder and another environment.
    folder = prepared_folder(data_dir)
    data_dir = None if folder is None else os.path.abspath(folder)
    source = as_source(data, data_dir)
    if isinstance(data, np.ndarray | Source) and (workers or ray):
        raise GenerationError(
            "What is open in this process cannot be shared with others, which open "
            "the data by its name. Pass the path of a file (an array: numpy.save), the "
            f"name of a data set, or module:function. Received: {type(data).__name__}"
        )
    with lock(directory):
        plan = _plan(attack, source, shard_size, batch_size, sink)
        _begin(directory, plan, attack, source, resume)
        records, _ = read_journal(directory, plan)
        records = _intact(directory, plan, records, only_size=check == "size")
        data = address(source.name) if workers or ray else source
        job = Job(plan, directory, data, data_dir, max(workers, 1))
        return _drive(job, records, workers, ray, progress)


def _plan(
    attack: Attack, source: Source, shard_size: int, batch_size: int, sink: str
) -> Plan:
    x, y = source.read(0, 1)
    # Whatever does not fit the attack at all should be known now.
    sample = as_floats(x, attack.bounds)
    if np.isfinite(sample).all():
        attack.check(sample, labels_for(attack, y))
    criterion, described = attack.criterion, environment()
    return Plan(
        attack={"class": _registered_name(attack), "config": attack.get_config()},
        model=None if criterion is None else describe_model(criterion.model),
        source={
            "samples": source.count,
            "shape": list(x.shape[1:]),
            "dtype": x.dtype.name,
            "fingerprint": source.fingerprint(),
        },
        shard_size=shard_size,
        batch_size=batch_size,
        sink=sink,
        versions={name: described[name] for name in _COMPUTING},
    )


def _registered_name(attack: Attack) -> str:
    name = keras.saving.get_registered_name(type(attack))
    if keras.saving.get_registered_object(name) is None:
        raise GenerationError(
            f"{name!r} is not registered, so no worker could build it. Put "
            "@keras.saving.register_keras_serializable() before the class."
        )
    return name


def _begin(
    directory: Path, plan: Plan, attack: Attack, source: Source, resume: bool
) -> None:
    """Writes model and manifest of a new run, or checks those of an old one."""
    if (directory / MANIFEST).exists():
        if not resume:
            raise GenerationError(
                f"{str(directory)!r} holds a run already. Go on with it by --resume "
                "(resume=True), or choose another directory."
            )
        check_same(read_manifest(directory), plan, directory)
        for leftover in directory.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        return
    # Its records would be taken for those of the run that begins.
    if (directory / JOURNAL).exists():
        raise GenerationError(
            f"{str(directory)!r} holds the journal of a run, but no {MANIFEST}. Choose "
            "another directory, or put that file back."
        )
    if attack.criterion is not None:
        _save_model(attack.criterion.model, directory / MODEL, plan)
    # Last: a directory with a manifest has all that a run needs.
    write_manifest(directory, plan, source.name)


def _save_model(model: keras.Model, path: Path, plan: Plan) -> None:
    if not path.exists():
        # Half a model is none, nor in the way of a second start.
        temporary = path.with_name(f".{path.name}")
        model.save(temporary)
        temporary.replace(path)
        return
    try:
        found = load_model(path, plan)
        if found.get_config() != model.get_config():
            raise ValueError("It has these weights, but other layers.")
    # Whatever else may be called so.
    except Exception as error:
        raise GenerationError(
            f"{str(path)!r} is there already, and not the model of this run, which "
            "keeps its copy by that name. Choose another directory."
        ) from error


def _intact(
    directory: Path, plan: Plan, records: dict[int, Record], only_size: bool
) -> dict[int, Record]:
    """The records whose files are as they were written."""
    # Hashing lets other threads run.
    with ThreadPoolExecutor() as threads:
        damages = threads.map(
            lambda record: find_damage(directory, plan, record, only_size),
            records.values(),
        )
        return {
            number: record
            for (number, record), damage in zip(records.items(), damages, strict=True)
            if damage is None
        }


def _drive(
    job: Job,
    records: dict[int, Record],
    workers: int,
    ray: str | None,
    progress: bool,
) -> Status:
    plan, directory = job.plan, job.directory
    todo = [shard for shard in range(plan.num_shards) if shard not in records]
    failures: dict[int, Failure] = {}
    bar = tqdm(
        total=plan.num_samples,
        initial=sum(record.samples for record in records.values()),
        unit="sample",
        desc=plan.attack["class"].rpartition(">")[2],
        disable=not progress,
    )
    with bar, polite_stop() as should_stop:
        for outcome in _outcomes(job, todo, should_stop, workers, ray):
            if isinstance(outcome, Record):
                append(directory, outcome)
                records[outcome.shard] = outcome
                bar.update(outcome.samples)
                continue
            if outcome.is_fatal:
                raise GenerationError(outcome.error)
            append(directory, outcome)
            failures[outcome.shard] = outcome
            if len(failures) >= MAX_FAILURES:
                break
    if failures:
        first = next(iter(failures.values()))
        raise GenerationError(
            f"{len(failures)} shards failed, the first: shard {first.shard}: "
            f"{first.error} ({len(records)} of {plan.num_shards} are done and kept.)"
        )
    return summarize(directory, plan, records.values(), (), is_running=False)


def _outcomes(
    job: Job, todo: list[int], should_stop: ShouldStop, workers: int, ray: str | None
) -> Iterator[Outcome]:
    if not todo:
        return iter(())
    if ray is None and not workers:
        return in_process(job, todo, should_stop)
    pool: Pool
    if ray is not None:
        pool = RayPool(job, ray, workers)
    else:
        pool = LocalPool(job, workers, threads_each(workers))
    return dispatch(pool, todo, should_stop)
