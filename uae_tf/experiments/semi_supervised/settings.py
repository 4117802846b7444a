"""Settings of the semi-supervised experiment, checked before any work is done."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

from ...datasets.circles import TEST_SAMPLES
from ...models.convolutional_classifier import SMALLEST_SIDE
from ..settings import CheckedSettings
from .arms import Arm, Trial, parse_arm
from .protocols import COLOUR, PROTOCOLS, Protocol

DEFAULT_METHODS = ("supervised", "random", "vat", "vat_entmin", "generator")
DEFAULT_METHODS += ("bounded_generator", "mine_uae")
#: What the slides show beside: settings that nobody chose.
SLIDES_METHODS = ("vat_0.1", "vat_1.0", "generator_1.0")
PLACEMENTS = ("even", "random")
#: Numbers that the protocol has where they are None, and their least.
_OPTIONAL = {"labels": 1, "updates": 1, "samples": 1, "validation": 1, "width": 1}
_OPTIONAL |= {"labelled_batch": 1, "unlabelled_batch": 1}
_OPTIONAL |= {"side": SMALLEST_SIDE}
#: Those of them that replace a field of the protocol of the same name.
_OF_PROTOCOL = ("labels", "updates", "validation", "labelled_batch", "unlabelled_batch")
_OF_PROTOCOL += ("side",)
#: Those of the convolutional classifier.
_OF_NETWORK = ("width", "dropout")
#: Those of images in colour alone.
_OF_COLOUR = (*_OF_NETWORK, "side")


@dataclasses.dataclass(frozen=True)
class SemiSupervisedSettings(CheckedSettings):
    """Everything that a result of the experiment depends on.

    Args:
        dataset: a key of ``PROTOCOLS``.
        data_dir: folder with prepared data, or None for the usual places.
        methods: arms: a method, whose setting is then chosen on validation data, or a
            method and its fixed setting, such as "vat_0.1".
        labels: labelled samples in all; None for the protocol's.
        updates: of the classifier; None for the protocol's.
        samples: training samples; None for all.
        validation: samples held out to choose settings on, of the circles 2000 at most,
            drawn apart; None for the protocol's, of the circles 1000.
        seeds: repetitions, each with other labels, weights and noise.
        choice_seeds: how many of them the settings are chosen by, at most ``seeds``.
        noise: standard deviation of the circles' noise, 0 or more.
        factor: radius of the inner circle, in (0, 1).
        labelled_batch: labelled samples per update; None for the protocol's.
        unlabelled_batch: unlabelled samples per update; None for the protocol's.
        side: height and width that images in colour are averaged down to, for speed;
            None for the protocol's (published: 32, which leaves them).
        width: filters of the first block of the convolutional classifier, for images
            in colour; None for the protocol's (published: 128).
        dropout: rate of its dropout layers; None for the protocol's (published: 0.5).
        placement: which points of the circles have a label: "even" (evenly spaced, at
            the same angles on both), or "random".
        lambda_grid: factors to choose the generator's from; empty for the protocol's.
        epsilon_grid: lengths to choose VAT's and the bounded generator's from; empty
            for the protocol's.
        seed: of the first repetition; the others count on from it.
    """

    dataset: str = "circles"
    data_dir: str | None = None
    methods: tuple[str, ...] = DEFAULT_METHODS
    labels: int | None = None
    updates: int | None = None
    samples: int | None = None
    validation: int | None = None
    seeds: int = 3
    choice_seeds: int = 3
    noise: float = 0.06
    factor: float = 0.8
    labelled_batch: int | None = None
    unlabelled_batch: int | None = None
    side: int | None = None
    width: int | None = None
    dropout: float | None = None
    placement: str = "even"
    epsilon_grid: tuple[float, ...] = ()
    lambda_grid: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        self._choose("dataset", tuple(PROTOCOLS))
        self._choose("placement", PLACEMENTS)
        for name in ("choice_seeds", "seeds"):
            self._count(name)
        self._count_seed(self.seeds)
        for name, minimum in _OPTIONAL.items():
            if getattr(self, name) is not None:
                self._count(name, minimum)
        for name in ("epsilon_grid", "lambda_grid"):
            self._check_grid(name)
        self._check_circles()
        for name in _OF_COLOUR:
            value = getattr(self, name)
            if value is not None and self.dataset not in COLOUR:
                raise ValueError(
                    f"`{name}` is for images in colour, {' and '.join(COLOUR)}. "
                    f"Received: {name}={value} for {self.dataset!r}"
                )
        if self.dropout is not None and not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {self.dropout}")
        if not self.methods:
            raise ValueError("`methods` is empty. Expected some, such as vat,generator")
        # As results.json tells them apart, where vat_0.1 and vat_0.10 are one.
        if len({Trial(a.method, a.value).key for a in self.arms}) < len(self.methods):
            raise ValueError(f"`methods` names one twice. Received: {self.methods}")

    @property
    def arms(self) -> list[Arm]:
        """The arms, in the order of the table."""
        return [parse_arm(name) for name in self.methods]

    @property
    def protocol(self) -> Protocol:
        """The data set's protocol, with what these settings change."""
        found = PROTOCOLS[self.dataset]
        changes: dict[str, Any] = {
            name: getattr(self, name)
            for name in _OF_PROTOCOL
            if getattr(self, name) is not None
        }
        if self._of_network():
            changes["classifier"] = partial(found.classifier, **self._of_network())
        if self.epsilon_grid:
            changes["epsilons"] = self.epsilon_grid
        if self.lambda_grid:
            changes["lambdas"] = self.lambda_grid
        return dataclasses.replace(found, **changes)

    def grid(self, method: str) -> tuple[float, ...]:
        """The values that a method's setting is chosen from."""
        protocol = self.protocol
        grids = {
            "random": protocol.random_epsilons,
            "vat": protocol.epsilons,
            "generator": protocol.lambdas,
            "bounded_generator": protocol.epsilons,
            "mine_uae": protocol.uae_sizes,
        }
        return grids[method]

    def _check_grid(self, name: str) -> None:
        values = getattr(self, name)
        if not all(0.0 < value < math.inf for value in values):
            raise ValueError(f"`{name}` must hold positive numbers. Received: {values}")
        # As results.json tells them apart.
        if len({f"{value:g}" for value in values}) < len(values):
            raise ValueError(
                f"`{name}` must hold numbers that differ in their first six digits. "
                f"Received: {values}"
            )

    def _check_circles(self) -> None:
        if not 0.0 <= self.noise < math.inf:
            raise ValueError(f"`noise` must be at least 0. Received: {self.noise}")
        if not 0.0 < self.factor < 1.0:
            raise ValueError(f"`factor` must be in (0, 1). Received: {self.factor}")
        if self.dataset == "circles" and (self.validation or 0) > TEST_SAMPLES:
            raise ValueError(
                f"`validation` must be at most {TEST_SAMPLES} for the circles. "
                f"Received: {self.validation}"
            )

    def _of_network(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in _OF_NETWORK}
        return {name: value for name, value in values.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for results.json; of the circles' settings only what counts."""
        settings = super().to_dict()
        if self.dataset != "circles":
            for name in ("noise", "factor", "placement"):
                del settings[name]
        return settings
