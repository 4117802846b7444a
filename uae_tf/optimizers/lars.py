"""Layer-wise adaptive rates for large batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

#: Names (of a variable, or of a layer on its path) that LARS leaves to plain momentum.
EXCLUDED = ("gamma", "beta", "bias", "head")


@keras.saving.register_keras_serializable("uae_tf")
class LARS(keras.optimizers.Optimizer):
    """Momentum whose rate follows, variable by variable, the size of the weights.

    With `g` the gradient plus `weight_decay * w`, one step is

    `v <- momentum * v + rate * trust_coefficient * ||w|| / ||g|| * g`,  `w <- w - v`.

    So a weight moves by a set fraction of its length whatever the size of its gradient,
    which keeps large batches with large rates stable. In this classic form rate and
    trust ratio are inside the momentum. Excluded variables get plain momentum, neither
    adapted nor decayed.

    Args:
        learning_rate: Number or Keras schedule. Defaults to 1.
        momentum: In [0, 1). Defaults to 0.9.
        weight_decay: Added to the gradient as `weight_decay * w`, before the norm; not
            Keras's decoupled decay. None is 0. Defaults to 1e-4 (SPEC 6.1).
        trust_coefficient: Fraction of its length that a weight moves by at rate 1.
            Defaults to 1e-3 (SPEC 6.5).
        exclude: Variables whose name, or a layer on whose path, is one of these.
            Defaults to normalisation, biases and a classifying layer named `"head"`.
        name: Name of the optimizer.
        **kwargs: As of any Keras optimizer, such as `global_clipnorm`.

    Raises:
        ValueError: `momentum`, `weight_decay` or `trust_coefficient` is out of range.

    Cost:
        One slot per weight.

    Example:
        >>> weights = keras.Variable([3.0, 4.0])  # length 5
        >>> optimizer = LARS(1.0, weight_decay=0.0, trust_coefficient=0.1)
        >>> optimizer.apply([keras.ops.convert_to_tensor([0.0, 9.0])], [weights])
        >>> [round(float(w), 2) for w in weights.numpy()]  # a tenth of 5 down
        [3.0, 3.5]

    Reference:
        You et al., 2017; SPEC 6.5.
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        momentum: float = 0.9,
        weight_decay: float | None = 1e-4,
        trust_coefficient: float = 1e-3,
        exclude: str | Sequence[str] = EXCLUDED,
        name: str = "lars",
        **kwargs: Any,
    ) -> None:
        weight_decay = weight_decay or 0.0
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            name=name,
            **kwargs,
        )
        if not 0 <= momentum < 1:
            raise ValueError(
                f"momentum must lie in [0, 1). Received: momentum={momentum}."
            )
        if not (weight_decay >= 0 and trust_coefficient > 0):
            raise ValueError(
                "weight_decay must be at least 0 and trust_coefficient above 0. "
                f"Received: weight_decay={weight_decay}, "
                f"trust_coefficient={trust_coefficient}."
            )
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)

    def build(self, variables: Sequence[Any]) -> None:
        """Create one momentum slot per variable."""
        if self.built:
            return
        super().build(variables)
        self._momenta = [
            self.add_variable_from_reference(variable, name="momentum")
            for variable in variables
        ]
        # Kept, since TensorFlow's update sees variables that have lost their path.
        self._excluded = [self.is_excluded(variable) for variable in variables]
        # What Keras's `exclude_from_weight_decay` left.
        self._decayed = [self._use_weight_decay(variable) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable by one step."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        if not self._excluded[index]:
            if self._decayed[index]:
                gradient = gradient + self.weight_decay * variable
            rate = rate * self._trust_ratio(gradient, variable)
        momentum = self._momenta[index]
        self.assign(momentum, self.momentum * momentum + rate * gradient)
        self.assign_sub(variable, momentum)

    def is_excluded(self, variable: Any) -> bool:
        """Whether a variable gets plain momentum: neither adapted nor decayed."""
        return not set(self.exclude).isdisjoint(variable.path.split("/"))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "exclude": list(self.exclude),
        }

    def _trust_ratio(self, gradient: Any, variable: Any) -> Any:
        length, slope = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, gradient))
        is_defined = ops.logical_and(length > 0, slope > 0)
        ratio = self.trust_coefficient * length / ops.where(is_defined, slope, 1.0)
        return ops.where(is_defined, ratio, 1.0)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        # Keras would shrink the weights themselves here; LARS did it in `update_step`.
        del variables
