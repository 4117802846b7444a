"""Settings and recipes of the contrastive experiment."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..settings import ExperimentSettings

#: Arms of the experiment, in the order they run and are reported.
ARMS = (
    "untrained",
    "original",
    "duplicated",
    "gaussian_tuned",
    "start_noise",
    "matched_noise",
    "criterion_only",
    "clae",
    "mine_uae",
)
PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class ContrastRecipe:
    """How long and how large an encoder is trained, attacked and judged.

    Args:
        arms: what is compared unless others are asked for.
        samples: training samples; None for all.
        test_samples: test samples that are looked at; None for all.
        side: images are averaged down to this side; None leaves them as they are.
        width: of the ResNet-18.
        epochs: passes over the augmented data, two samples for one.
        batch_size: samples per update; twice as many views.
        optimizer: "adam", or "lars" with weight decay 1e-4.
        learning_rate: at its peak; with "lars" for a batch of 256.
        warmup: share of the updates until the peak; then a cosine to 0.
        temperature: of the contrastive loss.
        steps: iterations of an attack.
        num_views: augmentations that an attack is judged by.
        reference: samples that they are told apart from.
        attack_batch: samples per compiled call of an attack.
        stddevs: what gaussian_tuned is chosen from.
        head_augment: whether the linear head sees crops and mirror images, anew in each
            epoch, as published.
        checks: how often in a training the neighbours are asked.
        radii: of the adversary of the linear head, in 1/255 (SPEC 6.12).
        robust_samples: test samples that it attacks.
        robust_steps: its iterations for each radius.
    """

    arms: tuple[str, ...]
    samples: int | None
    test_samples: int | None
    side: int | None
    width: int
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    warmup: float
    temperature: float
    steps: int
    num_views: int
    reference: int
    attack_batch: int
    stddevs: tuple[float, ...]
    head_augment: bool
    checks: int
    radii: tuple[int, ...]
    robust_samples: int
    robust_steps: int


RECIPES: dict[str, ContrastRecipe] = {
    # Sized for two cores; docs/RESULTS.md tells what was tried.
    "quick": ContrastRecipe(
        arms=("untrained", "original", "duplicated", "start_noise", "mine_uae"),
        samples=4096,
        test_samples=2000,
        side=16,
        width=16,
        epochs=20,
        batch_size=256,
        optimizer="adam",
        learning_rate=2e-3,
        warmup=0.1,
        temperature=0.2,
        steps=10,
        num_views=2,
        reference=128,
        attack_batch=128,
        stddevs=(0.05, 0.2),
        head_augment=False,
        checks=5,
        radii=(1, 2, 4, 8),
        robust_samples=128,
        robust_steps=10,
    ),
    # SPEC 6.1 and 6.2. 500 passes over two samples for one are the 1000 epochs of the
    # literature: 98,000 updates for CIFAR-10 in every arm.
    "paper": ContrastRecipe(
        arms=ARMS,
        samples=None,
        test_samples=None,
        side=None,
        width=64,
        epochs=500,
        batch_size=512,
        optimizer="lars",
        learning_rate=1.0,
        warmup=0.01,
        temperature=0.5,
        steps=20,
        num_views=4,
        reference=511,
        attack_batch=256,
        stddevs=(0.05, 0.1, 0.2, 0.3, 0.5),
        head_augment=True,
        checks=20,
        radii=(1, 2, 4, 6, 8, 10, 12, 14, 16),
        robust_samples=1000,
        robust_steps=100,
    ),
}
#: What an option may change of a recipe.
_OPTIONS = ("samples", "epochs", "width", "batch_size", "steps", "num_views", "side")


@dataclasses.dataclass(frozen=True)
class ContrastSettings(ExperimentSettings):
    """Settings of the contrastive experiment; what is not said is the recipe's.

    Args:
        recipe_name: "quick" or "paper".
        width: of the encoder.
        batch_size: samples per update.
        side: of the images.
        num_views: augmentations per sample in an attack.
        precision: "float32", or "bfloat16" for convolutions.
        tensorboard: whether trainings are logged for TensorBoard.
    """

    KNOWN_ARMS: ClassVar[tuple[str, ...]] = ARMS

    dataset: str = "cifar10"
    arms: tuple[str, ...] = ()
    preset: str = "default"
    steps: int | None = None  # type: ignore[assignment]
    recipe_name: str = "quick"
    width: int | None = None
    batch_size: int | None = None
    side: int | None = None
    num_views: int | None = None
    precision: str = "float32"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        self._choose("recipe_name", tuple(RECIPES))
        self._choose("precision", PRECISIONS)
        recipe = RECIPES[self.recipe_name]
        if not self.arms:
            object.__setattr__(self, "arms", recipe.arms)
        for name in _OPTIONS:
            if getattr(self, name) is None:
                # Frozen for users: here the object is still being made.
                object.__setattr__(self, name, getattr(recipe, name))
            elif name not in ("samples", "epochs"):
                self._count(name, 2 if name in ("batch_size", "num_views") else 1)
        super().__post_init__()
        if self.target != "self":
            raise ValueError(
                "`target` must be self: a view is compared with another view of the "
                f"same image. Received: {self.target!r}"
            )

    @property
    def recipe(self) -> ContrastRecipe:
        """The recipe, with what these settings say otherwise."""
        changes = {name: getattr(self, name) for name in ("arms", *_OPTIONS)}
        return dataclasses.replace(RECIPES[self.recipe_name], **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for results.json, without what has no meaning here."""
        settings = super().to_dict()
        for name in ("norm", "target", "tensorboard"):
            del settings[name]
        return settings
