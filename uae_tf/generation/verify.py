"""A second look at a finished run, by nobody who took part in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from ..attacks import AttackResult
from ..criteria import Criterion
from ..training.seeds import seed_states
from .errors import GenerationError
from .journal import Record, read_journal
from .manifest import read_manifest
from .plan import Plan
from .shards import read_shard
from .sources import Source, as_source
from .worker import as_floats, load_model

#: f of a sample, computed in a batch of another size, differs by rounding.
TOLERANCE = 1e-4
_SHOWN = 20


@dataclass
class Verification:
    """What was found.

    Attributes:
        shards: that were read.
        samples: that were read.
        reevaluated: samples whose f was computed again.
        largest_difference: between that f and the one in the shards, relative to the
            clean sample's loss.
        problems: one line each; empty if all is well.
    """

    shards: int = 0
    samples: int = 0
    reevaluated: int = 0
    largest_difference: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def __str__(self) -> str:
        lines = [
            f"read {self.shards:,} shards, {self.samples:,} samples; checksums, ids, "
            "bounds and counts compared"
        ]
        if self.reevaluated:
            lines.append(
                f"f evaluated again on {self.reevaluated:,} samples: differs by at "
                f"most {self.largest_difference:.2g} of the clean loss"
            )
        else:
            lines.append("f not evaluated again: that needs the model and the data")
        lines += self.problems[:_SHOWN]
        if len(self.problems) > _SHOWN:
            lines.append(f"... and {len(self.problems) - _SHOWN:,} more")
        lines.append("sound" if self.is_sound else f"{len(self.problems):,} problems")
        return "\n".join(lines)


def verify(
    directory: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | np.ndarray | Source | None = None,
    *,
    samples: int = 256,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Verification:
    """Reads every shard of a run again and compares it with all that is known.

    Nothing that the manifest names is opened: to have f evaluated again, name model
    and data yourself.

    Args:
        directory: of the run.
        model: the attacked model, a ``.keras`` file; loaded without running code of it.
        data: the source of the run, as `open_source` takes it, or its array.
        samples: how many to evaluate again, drawn at random.
        data_dir: folder of prepared data sets.
        seed: of that draw.

    Returns:
        A `Verification`; its problems do not raise.

    Raises:
        GenerationError: there is no run; other data or another model than the run's.
    """
    directory = Path(directory)
    plan = read_manifest(directory)
    records, failures = read_journal(directory, plan)
    found = Verification()
    missing = plan.num_shards - len(records)
    if missing:
        found.problems.append(f"{missing:,} of {plan.num_shards:,} shards are missing")
    found.problems += [f"shard {f.shard} failed: {f.error}" for f in failures.values()]
    again = None
    if model is not None and data is not None:
        again = _Reevaluation(plan, Path(model), data, data_dir, samples, seed)
    for shard in sorted(records):
        try:
            result = read_shard(directory, plan, records[shard])
        except GenerationError as error:
            found.problems.append(str(error))
            continue
        found.shards += 1
        found.samples += len(result)
        found.problems += _contradictions(result, plan, records[shard])
        if again is not None:
            again.look(result, shard, found)
    return found


def _contradictions(result: AttackResult, plan: Plan, record: Record) -> list[str]:
    name, (low, high) = plan.shard_name(record.shard), plan.bounds
    finite = result.is_finite
    examples = result.examples[finite]
    inside = (examples >= np.float32(low)) & (examples <= np.float32(high))
    judged = finite & ~np.isnan(result.criterion)
    checks = {
        "examples outside of the bounds": bool(inside.all()),
        "successes among samples that are not finite": not result.success[
            ~finite
        ].any(),
        "success that contradicts f": bool(
            np.array_equal(result.success[judged], result.criterion[judged] <= 0.0)
        ),
        "other counts than recorded": (record.successes, record.not_finite)
        == (int(result.success.sum()), int((~finite).sum())),
    }
    return [f"{name}: {problem}" for problem, is_fine in checks.items() if not is_fine]


class _Reevaluation:
    """f of a random choice of samples, by two plain forward passes."""

    def __init__(
        self,
        plan: Plan,
        model: Path,
        data: str | os.PathLike[str] | np.ndarray | Source,
        data_dir: str | os.PathLike[str] | None,
        samples: int,
        seed: int,
    ) -> None:
        self._plan = plan
        self._source = as_source(data, data_dir)
        if self._source.fingerprint() != plan.source["fingerprint"]:
            raise GenerationError(
                f"The source {self._source.name!r} is not the one of this run: another "
                "fingerprint."
            )
        config = plan.attack["config"].get("criterion")
        if plan.model is None or config is None:
            raise GenerationError("This run has no model: its attack has no criterion.")
        kind = keras.saving.get_registered_object(config["registered_name"])
        if not (isinstance(kind, type) and issubclass(kind, Criterion)):
            raise GenerationError(
                f"There is no criterion {config['registered_name']!r} here."
            )
        self._criterion = kind.from_config(config["config"], load_model(model, plan))
        count = min(samples, plan.num_samples)
        rng = np.random.default_rng(seed)
        self._chosen = np.sort(rng.choice(plan.num_samples, count, replace=False))

    def look(self, result: AttackResult, shard: int, found: Verification) -> None:
        """Compares the chosen ones among the samples of a shard."""
        ids = self._plan.rows(shard)
        chosen = self._chosen[(self._chosen >= ids.start) & (self._chosen < ids.stop)]
        rows = chosen - ids.start
        rows = rows[result.is_finite[rows] & ~np.isnan(result.criterion[rows])]
        if not len(rows):
            return
        x, y = self._source.read(ids.start, ids.stop)
        x = as_floats(x, self._plan.bounds)
        looked_at = self._with_batch_mates(rows, len(x))
        labels = None
        if self._criterion.needs_labels and y is not None:
            labels = y[looked_at]
        f, loss = self._criterion.evaluate(
            x[looked_at],
            result.examples[looked_at],
            labels,
            self._plan.batch_size,
        )
        kept = np.searchsorted(looked_at, rows)
        f, loss = f[kept], loss[kept]
        # Of a margin or a divergence the clean sample's own value is 0.
        scale = np.where(loss == 0.0, np.maximum(np.abs(f), 1.0), np.abs(loss))
        differences = np.abs(f - result.criterion[rows]) / np.maximum(scale, 1e-6)
        found.reevaluated += len(rows)
        found.largest_difference = max(
            found.largest_difference, float(differences.max())
        )
        found.problems += [
            f"sample {ids.start + rows[i]}: f is {f[i]:.6g}, the shard says "
            f"{result.criterion[rows[i]]:.6g}"
            for i in np.flatnonzero(~(differences <= TOLERANCE))
        ]

    def _with_batch_mates(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Rows of a shard to evaluate: for a model that draws, whole batches.

        What it draws for a sample depends on the sample's place in its batch.
        """
        if not seed_states(self._criterion.model):
            return rows
        size = self._plan.batch_size
        batches = np.unique(rows // size)[:, None] * size + np.arange(size)
        return batches[batches < count]
