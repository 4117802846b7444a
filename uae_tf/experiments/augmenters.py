"""One function per arm: from training samples to an augmented copy of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np

from ..attacks import (
    Attack,
    AttackResult,
    GaussianNoise,
    MatchedNoise,
    MinMaxAttack,
    UniformNoise,
)
from ..criteria import Criterion
from ..mine import MINE, GaussianMI, L2Similarity
from ..ops import pad_to
from .settings import ExperimentSettings

#: (samples done, samples in all)
Progress = Callable[[int, int | None], None]

UAE_ARMS = ("criterion_only", "l2_uae", "mine_uae")


class Augmenter:
    """Makes every arm's examples against one model whose weights come and go.

    One attack per arm is compiled once and used for all seeds and rounds: the attacked
    model stays the same object and only its weights are set.

    Args:
        criterion: on a built model of the attacked kind.
        settings: of the experiment.
        batch_size: samples per compiled call of an attack.
    """

    def __init__(
        self, criterion: Criterion, settings: ExperimentSettings, batch_size: int = 256
    ) -> None:
        self.criterion = criterion
        self.model = criterion.model
        self.settings = settings
        self.batch_size = batch_size
        self._attacks: dict[str, Attack] = {}

    def __call__(
        self,
        arm: str,
        x: np.ndarray,
        draw: int,
        sizes: np.ndarray | None = None,
        stddev: float | None = None,
        progress: bool | Progress = False,
    ) -> AttackResult:
        """Augments ``x`` in the way of ``arm``.

        Args:
            arm: its name.
            x: ``(N, *shape)``.
            draw: number of this copy, over seeds, rounds and copies; other draws give
                other noise.
            sizes: ``(N,)`` L2 norms, for "matched_noise".
            stddev: for "gaussian_tuned".
            progress: as in a call of an attack.
        """
        ids = np.arange(len(x)) + draw * len(x)
        key = arm if stddev is None else f"{arm}:{stddev}"
        if key not in self._attacks:
            self._attacks[key] = self._make(arm, stddev, x.shape[1:])
        size = min(self.batch_size, len(x))
        return self._attacks[key](
            x, sizes, batch_size=size, sample_ids=ids, progress=progress
        )

    def make_attacks(self, arms: Collection[str], shape: tuple[int, ...]) -> None:
        """Makes the attacks among ``arms``, which are compiled when they are used.

        Args:
            arms: names of arms.
            shape: of one sample.

        Raises:
            ValueError: one that the model does not fit.
        """
        for arm in UAE_ARMS:
            if arm in arms:
                self._attacks[arm] = self._make(arm, None, shape)

    def trace(self, arm: str, x: np.ndarray, first_id: int) -> dict[str, np.ndarray]:
        """Criterion, similarity and multiplier per iteration, for the figure.

        Args:
            arm: its name.
            x: ``(N, *shape)``.
            first_id: of the samples, for their start noise: of draw d of samples of
                which these are the first, d times the number of all.
        """
        ids = first_id + np.arange(len(x))
        size = min(self.batch_size, len(x))
        result = self._attacks[arm](x, batch_size=size, sample_ids=ids, trace=True)
        return dict(result.trace or {})

    def noise_limit(self, shape: tuple[int, ...]) -> float:
        """Half-width of the attacks' start noise."""
        return self._minmax(None).noise_limit(shape)

    def _make(self, arm: str, stddev: float | None, shape: tuple[int, ...]) -> Attack:
        if arm in ("gaussian_0.01", "gaussian_0.001"):
            stddev = float(arm.removeprefix("gaussian_"))
        if stddev is not None:
            return GaussianNoise(stddev)
        if arm == "start_noise":
            # The paper's start is no noise at all: the smallest that is one then.
            return UniformNoise(self.noise_limit(shape) or 1e-6)
        if arm == "matched_noise":
            return MatchedNoise()
        if arm == "criterion_only":
            return self._minmax(None)
        if arm == "l2_uae":
            return self._minmax(L2Similarity())
        if arm == "mine_uae":
            if self.settings.similarity == "gaussian":
                return self._minmax(GaussianMI())
            mine = MINE(views=self.settings.views, bound=self.settings.bound)
            return self._minmax(mine)
        raise ValueError(f"The arm {arm!r} adds no examples.")

    def _minmax(self, similarity: Any) -> MinMaxAttack:
        settings = {
            "steps": self.settings.steps,
            "similarity_weight": self.settings.similarity_weight,
        }
        return MinMaxAttack.from_preset(
            self.settings.preset, self.criterion, similarity, **settings
        )


def conventional_copy(x: np.ndarray, kinds: tuple[str, ...], seed: int) -> np.ndarray:
    """One conventionally augmented copy: flip, rotation, noise (SPEC 4.15).

    Args:
        x: ``(N, height, width, channels)`` in [0, 1].
        kinds: some of "flip" (horizontal, half of the samples), "rotation" (uniform in
            +-15 degrees) and "noise" (Gaussian, 0.01).
        seed: of the copy.

    Returns:
        ``(N, height, width, channels)`` float32 in [0, 1].
    """
    if x.ndim != 4 and set(kinds) - {"noise"}:
        raise ValueError(
            "Flips and rotations need images (N, height, width, channels). "
            f"Received: x of shape {x.shape}"
        )
    # With one seed for all, exactly the flipped samples would turn clockwise.
    seeds = [3 * seed + i for i in range(3)]
    layers = {
        "flip": lambda: keras.layers.RandomFlip("horizontal", seed=seeds[0]),
        "rotation": lambda: keras.layers.RandomRotation(
            15 / 360, fill_mode="constant", seed=seeds[1]
        ),
        "noise": lambda: keras.layers.GaussianNoise(0.01, seed=seeds[2]),
    }
    pipeline = keras.Sequential([layers[kind]() for kind in kinds])
    size, parts = min(1000, len(x)), []
    for start in range(0, len(x), size):
        batch = pad_to(x[start : start + size], size)
        parts.append(np.asarray(pipeline(batch, training=True)))
    return np.clip(np.concatenate(parts)[: len(x)], 0.0, 1.0)
