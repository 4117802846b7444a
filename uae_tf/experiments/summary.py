"""From the numbers of single runs to rows, verdict and results.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .settings import ExperimentSettings, ReconstructionSettings
from .verdict import verdict

#: arm -> seed -> numbers
Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]

_STATISTICS = (
    "test_error",
    "train_error",
    "success_rate",
    "relative_loss_change",
    "l2",
    "linf",
    "cosine",
    "mutual_information",
)
#: Arms that say nothing about augmentation at equal updates.
_NO_CONTROL = ("untrained", "original_short", "conventional_mine_uae")
CANDIDATE = "mine_uae"

# Table 4 of the paper, MNIST, per-pixel test MSE (SPEC 11.1-11.4): original, MINE-UAE,
# L2-UAE, Gaussian 0.01, Gaussian 0.001. Its "original" has half the updates.
_PAPER_ARMS = (
    "original_short",
    "mine_uae",
    "l2_uae",
    "gaussian_0.01",
    "gaussian_0.001",
)
_PAPER = {
    "sparse": (0.00561, 0.00243, 0.00348, 0.00280, 0.00280),
    "dense": (0.00258, 0.00228, 0.00286, 0.00244, 0.00238),
    "conv": (0.00294, 0.00256, 0.00364, 0.00301, 0.00304),
    "adversarial": (0.04785, 0.04581, 0.06098, 0.05793, 0.05544),
}


def paper_error(settings: ReconstructionSettings, arm: str) -> float | None:
    """The paper's test error for an arm, None where it has none."""
    if settings.dataset != "mnist" or arm not in _PAPER_ARMS:
        return None
    return _PAPER[settings.model][_PAPER_ARMS.index(arm)]


def rows(
    settings: ExperimentSettings, runs: Runs, further: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """One row per arm that has at least one finished seed.

    A seed whose model diverged has no finite error: it counts neither in mean nor in
    standard deviation, and the row says so under ``error`` where no other is left.
    ``further`` names numbers of this experiment alone.
    """
    found = []
    for arm in settings.arms:
        entries = [e for e in _entries(settings, runs, arm) if e is not None]
        if not entries:
            continue
        row: dict[str, Any] = {"arm": arm}
        for name in (*_STATISTICS, *further):
            values = [entry[name] for entry in entries if name in entry]
            row[name] = statistic(values) if values else None
        if row["test_error"]["mean"] is None:
            row["error"] = "no finite error"
        row["updates"] = entries[0]["updates"]
        row["seconds"] = float(np.mean([entry["seconds"] for entry in entries]))
        found.append(row)
    return found


def judge(
    settings: ExperimentSettings, runs: Runs, key: str = "test_error"
) -> dict[str, Any] | None:
    """The verdict on mine_uae, None where there is nothing to compare.

    ``key`` is the number it is about, lower being better.
    """
    controls = [a for a in settings.arms if a not in (CANDIDATE, *_NO_CONTROL)]
    if CANDIDATE not in settings.arms or not controls:
        return None
    values = {
        arm: [
            None if entry is None else _number(entry[key])
            for entry in _entries(settings, runs, arm)
        ]
        for arm in (CANDIDATE, *controls)
    }
    return verdict(values, CANDIDATE, controls).to_dict()


def notes(settings: ExperimentSettings, tuning: Mapping[str, float]) -> list[str]:
    """What a reader must know beside the numbers."""
    found = []
    if tuning:
        found.append(_note_on_tuning(tuning))
    updates = "All arms get the same number of updates"
    if "original_short" in settings.arms:
        updates += (
            ", except original_short: it is the plain protocol of the literature, the "
            "recipe's epochs on N samples, against which a mere duplicate of the data "
            "already looks like progress"
        )
    found.append(f"{updates}.")
    if settings.dataset == "cifar10":
        found.append("CIFAR-10 may be a JPEG copy, depending on the folder it is in.")
    if isinstance(settings, ReconstructionSettings) and settings.source_model:
        found.append(
            f"Transfer: examples were made against the {settings.source_model} model; "
            "success rate and loss change are those of the retrained kind."
        )
    return found


def _note_on_tuning(tuning: Mapping[str, float]) -> str:
    chosen = best_stddev(tuning)
    tried = (
        f"{len(tuning)} tried ({', '.join(tuning)}), on a tenth of the training "
        "samples held out with the first seed."
    )
    if not np.isfinite([_number(error) for error in tuning.values()]).any():
        return (
            f"gaussian_tuned: sigma {chosen} was not chosen but comes first: none had "
            f"a finite validation error of {tried}"
        )
    return (
        f"gaussian_tuned: sigma {chosen} had the lowest validation error of {tried}"
        f"{edge_note(chosen, map(float, tuning))}"
    )


def edge_note(chosen: float, tried: Iterable[float]) -> str:
    """What to add where the best value is an end of those tried; mostly nothing.

    Example:
        >>> edge_note(0.1, [0.1, 0.2, 0.5])
        ' It is the smallest of them, so a better one may lie below.'
    """
    values = list(tried)
    for end, word, place in (
        (min(values), "smallest", "below"),
        (max(values), "largest", "above"),
    ):
        if len(values) > 1 and chosen == end:
            return f" It is the {word} of them, so a better one may lie {place}."
    return ""


def best_stddev(tuning: Mapping[str, float]) -> float:
    """The sigma with the lowest validation error."""
    # A NaN, for a model that diverged, would win every comparison, and infinity is
    # read back as one.
    errors = {
        stddev: number if np.isfinite(number := _number(e)) else np.inf
        for stddev, e in tuning.items()
    }
    return float(min(errors, key=lambda stddev: errors[stddev]))


def _entries(
    settings: ExperimentSettings, runs: Runs, arm: str
) -> list[Mapping[str, Any] | None]:
    """What an arm measured with each of the wanted seeds, None for one to come."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [runs.get(arm, {}).get(str(seed)) for seed in seeds]


def _number(value: float | None) -> float:
    """A number of results.json, which has null where there was NaN."""
    return np.nan if value is None else float(value)


def statistic(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean, standard deviation and values over seeds; only finite ones are counted."""
    numbers = np.array([_number(value) for value in values])
    finite = numbers[np.isfinite(numbers)]
    return {
        "mean": float(finite.mean()) if len(finite) else None,
        "std": float(finite.std(ddof=1)) if len(finite) > 1 else None,
        "values": numbers.tolist(),
    }
