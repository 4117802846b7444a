"""MINE as a similarity: the public class and its settings."""

from __future__ import annotations

from typing import Any

import keras

from .ascent import CriticTrainer
from .bounds import BOUNDS
from .compressive import CompressiveMINE
from .convolution import ConvolutionMINE
from .deep import DeepMINE
from .layers import first_convolution
from .pairing import Pairing, all_pairs, cyclic_shifts, permutation
from .similarity import Similarity

#: Up to this many pairs all K x K scores are cheaper than what they save in variance.
_ALL_PAIRS_LIMIT = 64

#: Rates at which the bound is at its plateau after the default warm-up. That of the
#: deep critic can collapse to 0 from 0.1 on (digits, 8 to 28 pixels wide).
_COMPRESSIVE_RATE = 1.0
_ON_MAPS = {"collapsed": (ConvolutionMINE, 0.3), "deep": (DeepMINE, 0.03)}

_CHOICES = {
    "views": ("auto", "convolution", "compressive"),
    "marginals": ("auto", "all", "shifts", "shuffle"),
    "bound": tuple(BOUNDS),
    "critic": tuple(_ON_MAPS),
}


@keras.saving.register_keras_serializable("uae_tf")
class MINE(Similarity):
    """Mutual information I(x, x + delta) of one sample, estimated by a neural critic.

    K pairs are made from one sample ("views"); a critic with the paper's function
    class, ``T(u, v) = w . relu(A u + B v + bias)``, is trained on them by gradient
    ascent on a variational bound, anew for each sample and on from where it was in each
    iteration of the attack; the bound is the similarity, in nats.

    What the number means: it is an objective fitted on K pairs, not an estimate with
    error bars. Except for "smile" and for "shuffle" it cannot exceed ``ln K``, and it
    grows with ``inner_steps``; compare it only between runs of equal settings (SPEC
    8.6).

    Args:
        views: "convolution" (K maps of the first convolution), "compressive" (K
            Gaussian measurements), or "auto": convolution where the model has one
            (paper, section 3.1).
        marginals: "all" (all K x K pairs), "shifts" (a few fixed cyclic shifts),
            "shuffle" (the published single permutation), or "auto": "all" up to K 64
            and for "infonce".
        bound: "donsker-varadhan" (paper), "nwj", "infonce" or "smile".
        critic: "collapsed", or "deep": the paper's layers one by one, for comparison on
            small inputs; about 750 times the work (SPEC 4.2).
        inner_steps: ascent steps per iteration of the attack (20: published code).
        warmup_steps: ascent steps before the first iteration, on the start noise,
            rounded up to a multiple of ``inner_steps``; 0 in the published code, where
            an iterate's rating grows with its number.
        learning_rate: ascent rate; views have unit mean square norm. None: 0.3 for
            convolution, 1.0 for compressive views, the rates at which the bound has
            reached its plateau after the warm-up (MNIST, both kinds of autoencoder);
            0.03 for the deep critic, whose bound can collapse at three times that.
        hidden_units: H, width of the critic (10: published code).
        num_projections: K of compressive views (96: paper, Table 2).
        projection_dimension: p of compressive views (128: published code).
        jit_compile: compile the inner steps with XLA; 3 to 5 times faster on a CPU.
        seed: of the critic's initial weights and of "shuffle".

    Randomness:
        The initial critic depends on ``seed`` only; compressive measurements on the
        attack's seed and the sample's id.

    Cost:
        Convolution views, K maps of d pixels: O(K d H) per iteration and O(K^2 H) per
        inner step. Compressive views: O(K^2 H) per inner step, whatever the input.

    Example:
        >>> MINE(views="compressive", num_projections=32).num_projections
        32

    Reference:
        Hsu et al., AAAI 2022, section 3.1 and Algorithm 1; SPEC 2.1, 4.2-4.6, 8.5.
        Deviations from the published code: SPEC 2.8.
    """

    def __init__(
        self,
        views: str = "auto",
        marginals: str = "auto",
        bound: str = "donsker-varadhan",
        critic: str = "collapsed",
        inner_steps: int = 20,
        warmup_steps: int = 200,
        learning_rate: float | None = None,
        hidden_units: int = 10,
        num_projections: int = 96,
        projection_dimension: int = 128,
        jit_compile: bool = True,
        seed: int = 0,
    ) -> None:
        self.views = views
        self.marginals = marginals
        self.bound = bound
        self.critic = critic
        self.inner_steps = inner_steps
        self.warmup_steps = warmup_steps
        self.learning_rate = learning_rate
        self.hidden_units = hidden_units
        self.num_projections = num_projections
        self.projection_dimension = projection_dimension
        self.jit_compile = jit_compile
        self.seed = seed
        self._check()

    def for_model(self, model: keras.Model) -> Similarity:
        """The estimator for ``model``, with views chosen and a fresh critic."""
        layer = first_convolution(model)
        num_maps = 0 if layer is None else int(layer.filters)
        # One map makes one pair, and one pair has no marginals.
        if self.views == "convolution" and num_maps < 2:
            found = "no convolution layer" if layer is None else "one of 1 filter"
            raise ValueError(
                '`views="convolution"` needs a convolution layer of at least 2 filters '
                f"in the model, and {model.name!r} has {found}. "
                'Use views="compressive" or views="auto".'
            )
        if num_maps > 1 and self.views != "compressive":
            kind, rate = _ON_MAPS[self.critic]
            trainer = self._trainer(num_maps, rate)
            return kind(trainer, self.hidden_units, self.seed, layer.data_format)
        if self.critic == "deep":
            raise ValueError(
                '`critic="deep"` is the paper\'s network on feature maps and needs '
                'convolution views. Use critic="collapsed" for compressive views.'
            )
        return CompressiveMINE(
            self._trainer(self.num_projections, _COMPRESSIVE_RATE),
            self.hidden_units,
            self.num_projections,
            self.projection_dimension,
            self.seed,
        )

    def _trainer(self, num_pairs: int, default_rate: float) -> CriticTrainer:
        return CriticTrainer(
            bound=BOUNDS[self.bound],
            pairing=self._pairing(num_pairs),
            num_steps=self.inner_steps,
            warmup_steps=self.warmup_steps,
            learning_rate=(
                default_rate if self.learning_rate is None else self.learning_rate
            ),
            jit_compile=self.jit_compile,
        )

    def _pairing(self, num_pairs: int) -> Pairing:
        chosen = self.marginals
        if chosen == "auto":
            few = num_pairs <= _ALL_PAIRS_LIMIT
            chosen = "all" if few or self.bound == "infonce" else "shifts"
        if chosen == "all":
            return all_pairs
        if chosen == "shifts":
            return cyclic_shifts
        return permutation(num_pairs, self.inner_steps, self.seed)

    def _check(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {allowed}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if self.bound == "infonce" and self.marginals not in ("auto", "all"):
            raise ValueError(
                '`bound="infonce"` compares each pair with all others: with a few '
                'partners it has no bound of its own. Use marginals="all" or "auto". '
                f"Received: marginals={self.marginals!r}"
            )
        for name, least in (
            ("inner_steps", 1),
            ("warmup_steps", 0),
            ("hidden_units", 1),
            ("num_projections", 2),
            ("projection_dimension", 2),
        ):
            if getattr(self, name) < least:
                raise ValueError(
                    f"`{name}` must be at least {least}. "
                    f"Received: {name}={getattr(self, name)}"
                )
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(
                "`learning_rate` must be positive. "
                f"Received: learning_rate={self.learning_rate}"
            )

    def get_config(self) -> dict[str, Any]:
        return {
            "views": self.views,
            "marginals": self.marginals,
            "bound": self.bound,
            "critic": self.critic,
            "inner_steps": self.inner_steps,
            "warmup_steps": self.warmup_steps,
            "learning_rate": self.learning_rate,
            "hidden_units": self.hidden_units,
            "num_projections": self.num_projections,
            "projection_dimension": self.projection_dimension,
            "jit_compile": self.jit_compile,
            "seed": self.seed,
        }
