"""The main table: its columns are defined here and nowhere else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .cells import Cell, Header, TableData
from .numbers import (
    PLUS_MINUS,
    Statistic,
    duration,
    exponent_for,
    fixed,
    scale_label,
    statistic,
    to_float,
)

PENDING = "pending"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table of arms.

    Args:
        key: the row's key in results.json.
        title: head of the column.
        unit: unit, empty for errors, whose scale is chosen for the table.
        meaning: one sentence for the reader.
        decimals: digits after the point.
        factor: what the stored number is multiplied by, 100 for fractions in %.
        is_error: shares the errors' scale.
        is_time: written as a duration.
        has_best: whether the lowest mean is set in bold.
        signed: whether plus signs are written.
    """

    key: str
    title: str
    unit: str = ""
    meaning: str = ""
    decimals: int = 2
    factor: float = 1.0
    is_error: bool = False
    is_time: bool = False
    has_best: bool = False
    signed: bool = False


COLUMNS = (
    Column(
        "test_error",
        "test error",
        meaning="Mean squared error per pixel or feature on test data, mean ± standard "
        "deviation over seeds. Lower is better; the lowest is bold.",
        decimals=3,
        is_error=True,
        has_best=True,
    ),
    Column(
        "paper",
        "paper",
        meaning="The number printed in the paper for this data set and model.",
        is_error=True,
    ),
    Column(
        "setting",
        "setting",
        meaning="ε of VAT, λ of the generator, the size of a UAE: as fixed in the "
        "arm's name, else chosen on validation data.",
        decimals=3,
    ),
    Column(
        "accuracy",
        "accuracy",
        "%",
        "Of 50 extremely randomised trees on the selected features, on test data.",
        decimals=2,
        factor=100.0,
    ),
    Column(
        "knn_accuracy",
        "kNN",
        "%",
        "Accuracy of the nearest neighbours of test features among training features, "
        "weighted by cosine (temperature 0.1): nothing is fitted.",
        decimals=2,
        factor=100.0,
    ),
    Column(
        "logistic_accuracy",
        "logistic",
        "%",
        "Accuracy of scikit-learn's logistic regression on the same features.",
        decimals=2,
        factor=100.0,
    ),
    Column(
        "paper_accuracy",
        "paper accuracy",
        "%",
        "The accuracy printed in the paper.",
        factor=100.0,
    ),
    Column(
        "linear_error",
        "linear error",
        meaning="Mean squared error of a linear regression from the selected features "
        "to all, on test data.",
        decimals=3,
        is_error=True,
    ),
    Column(
        "distinct",
        "distinct",
        meaning="Number of different features among the selected.",
        decimals=1,
    ),
    Column(
        "confidence",
        "confidence",
        meaning="Mean largest probability of the selecting units: 1 where all have "
        "decided, and 0.998 is wanted.",
        decimals=3,
    ),
    Column(
        "contrastive_loss",
        "contrastive loss",
        "nats",
        "NT-Xent of two views of test samples, in inference mode.",
        decimals=3,
    ),
    Column(
        "head_cross_entropy",
        "head cross-entropy",
        "nats",
        "Of the linear head on test samples: what the paper seems to call loss.",
        decimals=3,
    ),
    Column(
        "train_error",
        "training error",
        meaning="The test error's like on the training data, without added samples.",
        decimals=3,
        is_error=True,
    ),
    Column(
        "success_rate",
        "ASR",
        "%",
        "Attack success rate: share of samples whose perturbed version the model "
        "handles no worse than the sample itself; of an attack with labels, one that "
        "the classifier gives another class.",
        decimals=1,
        factor=100.0,
    ),
    Column(
        "paper_success_rate",
        "paper ASR",
        "%",
        "The success rate printed in the paper.",
        factor=100.0,
    ),
    Column(
        "relative_loss_change",
        "loss change",
        "%",
        "Mean relative change of the attacked model's loss from x to x+δ. "
        "Below 0 means that the model does better on x+δ.",
        decimals=1,
        factor=100.0,
        signed=True,
    ),
    Column(
        "similarity",
        "I of the attack",
        "nats",
        "Similarity of x and x+δ as the attack's own critic ends with it.",
    ),
    Column("paper_similarity", "paper MI", "nats", "The number printed in the paper."),
    Column(
        "mi_all",
        "MI, all pairs",
        "nats",
        "By a fresh critic, 1,000 steps for every attack alike; at most ln K.",
    ),
    Column(
        "mi_permutation",
        "MI, one permutation",
        "nats",
        "The same with the published marginals, which have no bound on either side.",
    ),
    Column(
        "frechet", "FD", meaning="Frechet distance to training images; lower is nearer."
    ),
    Column(
        "kernel",
        "KD",
        meaning="Kernel distance (squared MMD, cubic kernel) to training images.",
        decimals=3,
    ),
    Column("l2", "L2", "per sample", "Euclidean length of δ."),
    Column("linf", "L∞", "per sample", "Largest change of any one input."),
    Column(
        "ssim",
        "SSIM",
        meaning="Structural similarity of x and x+δ, 1 if equal.",
        decimals=3,
    ),
    Column(
        "cosine",
        "cosine",
        meaning="Cosine of the angle between x and x+δ: 1 means the same direction.",
        decimals=3,
    ),
    Column(
        "mutual_information",
        "MI",
        "nats",
        "Mutual information between x and x+δ, closed form per projected coordinate. "
        "Lower means less alike.",
    ),
    Column("images", "images", "", "Images attacked.", decimals=0),
    Column("iterations", "iterations", "", "Of the attack, per image.", decimals=0),
    Column("milliseconds", "ms per image", "", "Wall time of the attack.", decimals=0),
    Column(
        "error_rate",
        "clean error",
        "%",
        "Error rate of the attacked classifier on all test images as they are.",
        factor=100.0,
    ),
    Column("updates", "updates", "", "Gradient updates of the retraining.", decimals=0),
    Column("seconds", "time", "", "Wall time of the arm.", is_time=True),
)


#: What a terminal of 80 columns has room for.
ESSENTIAL = (
    "test_error",
    "paper",
    "accuracy",
    "knn_accuracy",
    "distinct",
    "train_error",
    "success_rate",
    "l2",
    "updates",
)


def arms_table(
    results: Mapping[str, Any], keys: Collection[str] | None = None
) -> TableData:
    """Lay out the main table: one row per arm, one column per number that exists.

    Args:
        results: the experiment's results. Arms named in `settings["arms"]` that have
            no row yet, or a row without a test error, are shown as pending; a row
            with an `error` text as failed. `error_unit` is the unit of errors, None
            for a scale that suits them; `column_meanings` replaces meanings.
        keys: of the columns to show, e.g. `ESSENTIAL`; None for all.

    Returns:
        The table. Columns without a number in any row are left out, but for the
        test error, or what `primary` names in its place. `column_titles` replaces
        heads.
    """
    primary = str(results.get("primary") or "test_error")
    rows = rows_with_pending(results)
    columns = [
        column
        for column in COLUMNS
        if keys is None or column.key in (*keys, primary)
        if column.key == primary or any(statistic(r.get(column.key)) for r in rows)
    ]
    # First: a narrow terminal leaves out columns from the right.
    columns.sort(key=lambda column: column.key != primary)
    found = [statistic(row.get(c.key)) for row in rows for c in columns if c.is_error]
    unit = str(results.get("error_unit") or "")
    exponent = 0 if unit else exponent_for(s.mean for s in found if s)
    best = {c.key: _lowest(rows, c.key) for c in columns if c.has_best}
    seeds = _seed_count(results)
    said = results.get("column_meanings") or {}
    called = results.get("column_titles") or {}
    headers = [
        Header(
            called.get(c.key, c.title),
            _unit(c, exponent, unit),
            said.get(c.key, c.meaning),
        )
        for c in columns
    ]
    return TableData(
        "Arms of the comparison",
        (Header("arm"), *headers),
        tuple(
            (
                _name_cell(row, seeds),
                *(_cell(c, row, exponent, best, primary) for c in columns),
            )
            for row in rows
        ),
    )


def rows_with_pending(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows, and an empty one for each arm that is still to come.

    Args:
        results: the experiment's results.

    Returns:
        Rows in the order of `settings["arms"]`, others behind.
    """
    rows = {str(row.get("arm", "?")): dict(row) for row in results.get("rows") or ()}
    wanted = [str(arm) for arm in (results.get("settings") or {}).get("arms") or ()]
    order = dict.fromkeys([*wanted, *rows])
    return [rows.get(arm, {"arm": arm}) for arm in order]


def _cell(
    column: Column,
    row: Mapping[str, Any],
    exponent: int,
    best: Mapping[str, float],
    primary: str,
) -> Cell:
    found = statistic(row.get(column.key))
    if found is None:
        if column.key != primary or primary != "test_error":
            return Cell("")
        return _missing(row)
    if column.is_time:
        return Cell(duration(found.mean))
    factor = 10.0**-exponent if column.is_error else column.factor
    short = text = fixed(factor * found.mean, column.decimals, column.signed)
    if math.isfinite(found.std):
        text += f" {PLUS_MINUS} {fixed(factor * found.std, column.decimals)}"
    return Cell(text, short, is_best=best.get(column.key) == found.mean)


def _missing(row: Mapping[str, Any]) -> Cell:
    if row.get("error"):
        return Cell(f"failed: {row['error']}", tone="failed")
    if row.get("test_error") is not None:
        return Cell("failed: not finite", tone="failed")
    return Cell(PENDING, tone="pending")


def _name_cell(row: Mapping[str, Any], seeds: int | None) -> Cell:
    name = str(row.get("arm", "?"))
    found = statistic(row.get("test_error"))
    finished = sum(math.isfinite(v) for v in found.values) if found else 0
    if seeds and finished and finished < seeds:
        return Cell(f"{name} ({finished} of {seeds} seeds)", name)
    return Cell(name)


def _lowest(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    found: list[Statistic] = [s for row in rows if (s := statistic(row.get(key)))]
    return min((s.mean for s in found), default=math.nan)


def _seed_count(results: Mapping[str, Any]) -> int | None:
    """Count the seeds, given as a number or as their list."""
    seeds = (results.get("settings") or {}).get("seeds")
    if isinstance(seeds, Sequence) and not isinstance(seeds, str):
        return len(seeds)
    number = to_float(seeds)
    return int(number) if math.isfinite(number) else None


def _unit(column: Column, exponent: int, error_unit: str) -> str:
    if not column.is_error:
        return column.unit
    return error_unit or scale_label(exponent)
