"""Settings of the experiments, checked before any work is done."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..attacks import PRESETS
from ..mine import MINE
from ..models.recipes import MODELS

#: Arms of the experiment, in the order they run and are reported.
ARMS = (
    "original",
    "original_short",
    "duplicated",
    "gaussian_0.01",
    "gaussian_0.001",
    "gaussian_tuned",
    "start_noise",
    "matched_noise",
    "criterion_only",
    "l2_uae",
    "mine_uae",
)
#: Further arms, on request.
EXTRA_ARMS = ("conventional", "conventional_mine_uae")
#: Conventional augmentations, for the extra arms.
CONVENTIONAL = ("flip", "rotation", "noise")
#: Seeds that NumPy's global generator knows.
_SEEDS = 2**32


class CheckedSettings:
    """What the settings of all experiments have in common: plain values, and checks."""

    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for results.json."""
        return dataclasses.asdict(self)

    def _count(self, name: str, minimum: int = 1) -> None:
        value = getattr(self, name)
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or value < minimum:
            raise ValueError(
                f"`{name}` must be a whole number, at least {minimum}. "
                f"Received: {value!r}"
            )
        # NumPy's become Python's. Frozen for users: here the object is being made.
        object.__setattr__(self, name, int(value))

    def _count_seed(self, repetitions: int = 1) -> None:
        """Checks ``seed``, from which so many count on."""
        self._count("seed", minimum=0)
        if self.seed + repetitions > _SEEDS:
            raise ValueError(
                f"`seed` must be below 2**32, as must be all {repetitions} that count "
                f"on from it. Received: {self.seed}"
            )

    def _choose_some(self, name: str, allowed: tuple[str, ...]) -> None:
        values = getattr(self, name)
        if not values:
            raise ValueError(f"`{name}` is empty. Expected some of: {allowed}")
        for value in values:
            _check(value in allowed, name, value, allowed)
        if len(set(values)) < len(values):
            raise ValueError(f"`{name}` names one twice. Received: {values}")

    def _choose(self, name: str, allowed: tuple[Any, ...]) -> None:
        value = getattr(self, name)
        _check(value in allowed, name, value, allowed)


@dataclasses.dataclass(frozen=True)
class ExperimentSettings(CheckedSettings):
    """What the result of every experiment depends on.

    Args:
        dataset: name for :func:`uae_tf.datasets.load`.
        data_dir: folder with prepared data, or None for the usual places.
        samples: training samples; None for all.
        epochs: passes over the augmented data; None for the recipe's.
        seeds: number of repetitions, each with other weights and other noise.
        arms: what is compared.
        preset: start of the attack, one of ``uae_tf.attacks.PRESETS``; "strong", as
            only large start noise has been seen to give a gain beyond duplication
            (docs/RESULTS.md).
        similarity: "mine" or "gaussian" (closed form), for the arm mine_uae.
        similarity_weight: factor of the similarity term.
        views: of "mine": "auto", "convolution" or "compressive".
        bound: of "mine", such as "donsker-varadhan"; see :class:`~uae_tf.mine.MINE`.
        norm: "l2" (paper) or "squared" (published code).
        steps: iterations of the attack.
        target: of augmented samples: "self" (published code) or "clean".
        copies: augmented copies per sample and round.
        rounds: each round attacks the model of the round before.
        seed: of the first repetition; the others count on from it.
    """

    #: Arms that may be asked for.
    KNOWN_ARMS: ClassVar[tuple[str, ...]] = ARMS

    dataset: str = "digits"
    data_dir: str | None = None
    samples: int | None = None
    epochs: int | None = None
    seeds: int = 3
    arms: tuple[str, ...] = ARMS
    preset: str = "strong"
    similarity: str = "mine"
    similarity_weight: float = 1.0
    views: str = "auto"
    bound: str = "donsker-varadhan"
    norm: str = "l2"
    steps: int = 40
    target: str = "self"
    copies: int = 1
    rounds: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        self._choose("preset", tuple(PRESETS))
        self._choose("similarity", ("mine", "gaussian"))
        self._choose("norm", ("l2", "squared"))
        self._choose("target", ("self", "clean"))
        self._choose_some("arms", self.KNOWN_ARMS)
        for name in ("seeds", "steps", "copies", "rounds"):
            self._count(name)
        for name in ("samples", "epochs"):
            if getattr(self, name) is not None:
                self._count(name)
        self._count_seed(self.seeds)
        if not np.isfinite(self.similarity_weight):
            raise ValueError(
                "`similarity_weight` must be a finite number. "
                f"Received: {self.similarity_weight}"
            )
        # Refuses views and bounds that it does not know.
        MINE(views=self.views, bound=self.bound)

    @property
    def num_copies(self) -> int:
        """Augmented copies per sample when all rounds are done."""
        return self.copies * self.rounds


@dataclasses.dataclass(frozen=True)
class ReconstructionSettings(ExperimentSettings):
    """Settings of the reconstruction experiment.

    Args:
        model: "dense", "sparse", "conv" or "adversarial".
        recipe: "paper" or "modern"; see :func:`uae_tf.models.recipe`.
        source_model: kind of model to attack instead (transfer); None for ``model``.
        conventional: augmentations of the arms "conventional...".
    """

    KNOWN_ARMS: ClassVar[tuple[str, ...]] = ARMS + EXTRA_ARMS

    model: str = "dense"
    recipe: str = "modern"
    source_model: str | None = None
    conventional: tuple[str, ...] = ("flip", "rotation")

    def __post_init__(self) -> None:
        self._choose("model", tuple(MODELS))
        self._choose("recipe", ("paper", "modern"))
        self._choose("source_model", (None, *MODELS))
        self._choose_some("conventional", CONVENTIONAL)
        super().__post_init__()


def _check(is_fine: bool, name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if not is_fine:
        names = ", ".join(str(a) for a in allowed)
        raise ValueError(f"`{name}` must be one of: {names}. Received: {value!r}")
