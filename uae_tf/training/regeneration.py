"""New adversarial examples for the slots of an `AugmentedDataset`."""

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..attacks import Attack
from .augmented_dataset import AugmentedDataset
from .phases import PhaseRecord

MODES = ("replace", "accumulate", "keep")
FAILED = ("sample", "attempt")

#: Batches attacked before their examples are put into the slots: what is lost at most
#: when the attack is interrupted.
_BATCHES_PER_CHUNK = 8


def regenerate(
    data: AugmentedDataset,
    attack: Attack,
    phase: int,
    epoch: int,
    rows: np.ndarray,
    fraction: float,
    mode: str,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
    failed: str = "sample",
) -> PhaseRecord:
    """Attacks samples of `data` and fills their slots.

    Args:
        data: the dataset whose slots are filled.
        attack: called with ids that no other phase and copy uses, so that its start
            noise is new each time, and repeatable.
        phase: zero-based number of the regeneration.
        epoch: epochs trained before it, for the record.
        rows: the samples that the phase visits, ascending.
        fraction: part of these to attack, in (0, 1].
        mode: `"replace"` fills all copies, `"accumulate"` the oldest one, `"keep"`
            those that hold no example yet.
        batch_size: samples per compiled call of the attack.
        progress: called as `progress(samples_done, samples)`.
        failed: what a failed attack leaves: `"sample"` or its best `"attempt"`.

    Randomness: which samples are attacked follows from `(data.seed, phase)`.
    """
    start = time.perf_counter()
    jobs = _choose_jobs(data, rows, phase, fraction, mode)
    total = sum(len(chosen) for _, chosen in jobs)
    measured = [np.zeros((0, 3))]
    done = 0
    for copy, chunk in _chunks(jobs, _BATCHES_PER_CHUNK * batch_size):
        ids = chunk + (phase * data.copies + copy) * data.num_samples
        measured.append(_fill_slots(data, attack, copy, chunk, ids, batch_size, failed))
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    success, similarity, l2 = np.concatenate(measured).T
    if total and not success.any() and failed == "sample":
        warnings.warn(
            f"Phase {phase + 1}: the attack succeeded on none of {total} samples, so "
            "their slots hold the samples themselves. More steps or another start "
            "noise may help.",
            stacklevel=2,
        )
    return PhaseRecord(
        phase=phase + 1,
        epoch=epoch,
        attacked=total,
        success_rate=_mean(success),
        similarity=_mean(similarity[success > 0]),
        l2=_mean(l2[success > 0]),
        seconds=time.perf_counter() - start,
    )


def labels_for(data: AugmentedDataset, attack: Attack) -> np.ndarray | None:
    """The targets of `data`, where the attack's criterion compares with labels."""
    return data.y if getattr(attack.criterion, "needs_labels", False) else None


def _fill_slots(
    data: AugmentedDataset,
    attack: Attack,
    copy: int,
    rows: np.ndarray,
    ids: np.ndarray,
    batch_size: int,
    failed: str,
) -> np.ndarray:
    """Attacks `rows`; returns success, similarity and L2 as columns."""
    # Fewer rows than a batch would be a new shape, and so a new trace of the attack.
    missing = max(min(batch_size, data.samples_per_epoch) - len(rows), 0)
    padded = np.pad(rows, (0, missing), mode="edge")
    keywords: dict[str, Any] = {}
    labels = labels_for(data, attack)
    if labels is not None:
        keywords["y"] = labels[padded]
    x = data.x[padded]
    with warnings.catch_warnings():
        # Said once for the whole phase: a small chunk may well have no success.
        warnings.filterwarnings("ignore", message="The attack (moved|succeeded)")
        result = attack(
            x,
            batch_size=batch_size,
            sample_ids=np.pad(ids, (0, missing), mode="edge"),
            **keywords,
        )
    kept = slice(0, len(rows))
    success = np.asarray(result.success[kept], bool)
    if failed == "sample":
        data.set_examples(result.augmented(x)[kept], rows, copy, active=success)
    else:
        # Where a NaN froze the attack there is no attempt to speak of.
        examples = dataclasses.replace(result, success=result.is_finite).augmented(x)
        active = np.asarray(result.is_finite[kept], bool)
        data.set_examples(examples[kept], rows, copy, active=active)
    return np.stack([success, result.similarity[kept], result.l2[kept]], axis=1)


def _choose_jobs(
    data: AugmentedDataset, visited: np.ndarray, phase: int, fraction: float, mode: str
) -> list[tuple[int, np.ndarray]]:
    rng = np.random.default_rng((data.seed, phase))
    count = max(1, round(fraction * len(visited)))
    copies = range(data.copies)
    if mode == "accumulate":
        copies = [phase % data.copies]
    jobs = []
    for copy in copies:
        rows = visited
        if mode == "keep":
            rows = visited[~data.active[copy, visited]]
        if len(rows) > count:
            rows = np.sort(rng.choice(rows, count, replace=False))
        if len(rows):
            jobs.append((copy, rows))
    return jobs


def _chunks(
    jobs: list[tuple[int, np.ndarray]], size: int
) -> Iterator[tuple[int, np.ndarray]]:
    for copy, rows in jobs:
        for start in range(0, len(rows), size):
            yield copy, rows[start : start + size]


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
