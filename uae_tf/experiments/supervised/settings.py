"""Settings of the supervised experiments, checked before any work is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ...models.classifier_recipes import DATASETS
from ..settings import CheckedSettings

TABLES = ("minmax-vs-penalty", "epsilon-sweep", "quality", "robust")
MARGINALS = ("all", "shuffle")

# What a table is run with unless said otherwise: data set, images, iterations.
_DEFAULTS: Mapping[str, tuple[str, int, int]] = {
    "minmax-vs-penalty": ("mnist", 1000, 1000),
    "epsilon-sweep": ("mnist", 100, 100),
    "quality": ("cifar10", 1000, 40),
    "robust": ("mnist", 500, 100),
}


@dataclasses.dataclass(frozen=True)
class SupervisedSettings(CheckedSettings):
    """Everything that a table of the supervised experiments depends on.

    Args:
        table: "minmax-vs-penalty" (Table 3, Figure 2), "epsilon-sweep" (Figure 3),
            "quality" (Table 2, Figure 1) or "robust".
        dataset: "mnist", "fashion_mnist", "cifar10" or "digits"; None for the table's.
        data_dir: folder with prepared data, or None for the usual places.
        classifier: the attacked model: a `.keras` file, or a version of the folder
            models/; None to train one by its recipe.
        recipe: "modern" or "paper", where one is trained.
        robust_classifier: as ``classifier``, of the table "robust"; None to train one
            adversarially.
        robust_epochs: of that training.
        robust_samples: training images of it; None for all.
        extractor: as ``classifier``, whose features distances are measured in; None to
            train one like the attacked model, with other initial weights.
        samples: test images attacked, the first that are classified correctly; None
            for the table's.
        steps: iterations an image gets in all; None for the table's.
        search_steps: descents of the penalty method, which share ``steps``.
        inner_steps: of the critic at an iteration, the same for every attack.
        marginals: of the attacks' MINE: "all" pairs, or "shuffle".
        epsilon: L-infinity bound of minmax-vs-penalty, of quality, and of robust's
            arm minmax_unbounded.
        epsilons: bounds of epsilon-sweep; kept in order, each once.
        runs: repetitions of quality.
        projections: K of its random-sampling views.
        chunk: images attacked at once, and lost at most by an interruption.
        seed: of trainings and attacks.
    """

    table: str = "minmax-vs-penalty"
    dataset: str | None = None
    data_dir: str | None = None
    classifier: str | None = None
    recipe: str = "modern"
    robust_classifier: str | None = None
    robust_epochs: int = 10
    robust_samples: int | None = None
    extractor: str | None = None
    samples: int | None = None
    steps: int | None = None
    search_steps: int = 9
    inner_steps: int = 1
    marginals: str = "all"
    epsilon: float = 1.0
    epsilons: tuple[float, ...] = tuple(round(0.1 * i, 1) for i in range(1, 11))
    runs: int = 10
    projections: int = 96
    chunk: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        self._choose("table", TABLES)
        defaults = _DEFAULTS[self.table]
        for name, value in zip(("dataset", "samples", "steps"), defaults, strict=True):
            if getattr(self, name) is None:
                # Filled in here, so that results.json tells them.
                object.__setattr__(self, name, value)
        self._choose("dataset", DATASETS)
        self._choose("recipe", ("paper", "modern"))
        self._choose("marginals", MARGINALS)
        for name in ("samples", "steps", "search_steps", "inner_steps", "runs"):
            self._count(name)
        self._count("chunk")
        self._count("robust_epochs")
        self._count("projections", 2)
        self._count_seed()
        if self.robust_samples is not None:
            self._count("robust_samples")
        if self.table == TABLES[0] and self.steps < self.search_steps:
            raise ValueError(
                "`steps` are shared by the descents of the penalty method: at least "
                f"search_steps. Received: steps={self.steps}, "
                f"search_steps={self.search_steps}"
            )
        if not self.epsilons or not all(e > 0 for e in (self.epsilon, *self.epsilons)):
            raise ValueError(
                "`epsilon` and `epsilons` must be positive, and some. "
                f"Received: epsilon={self.epsilon}, epsilons={self.epsilons}"
            )
        # As the names of the jobs tell them apart.
        bounds = {f"{epsilon:g}": epsilon for epsilon in sorted(self.epsilons)}
        object.__setattr__(self, "epsilons", tuple(bounds.values()))
