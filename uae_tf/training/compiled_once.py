"""Many trainings of one model, traced and compiled once."""

from __future__ import annotations

from collections.abc import Callable

import keras


class CompiledOnce:
    """A factory for `retrain` whose models share one compiled training step.

    The first call returns a new model, every later one the same model in the state of
    a new one: weights, random state, optimizers. Keras then does not trace its step
    again, which takes longer than a short training. What the last training made is
    gone with the next call: keep `get_weights()`, not the model.

    Args:
        factory: returns a compiled, untrained model; those of all calls must differ
            in nothing but the values of their variables.
        steps_per_execution: of the training, which `retrain` then leaves as it is.

    Randomness: that of `factory`, which is called each time.

    Example:
        >>> import numpy as np
        >>> from uae_tf import models
        >>> from uae_tf.training import retrain
        >>> make = CompiledOnce(lambda: models.build("dense", (4,)), 7)
        >>> x = np.ones((10, 4), "float32")
        >>> first = retrain(make, x, updates=7).model
        >>> first is retrain(make, x, updates=7, seed=1).model
        True
    """

    def __init__(
        self, factory: Callable[[], keras.Model], steps_per_execution: int
    ) -> None:
        self.factory = factory
        self.steps_per_execution = steps_per_execution
        self._model: keras.Model | None = None

    def __call__(self) -> keras.Model:
        """The model, as new."""
        fresh = self.factory()
        if self._model is None:
            fresh.steps_per_execution = self.steps_per_execution
            self._model = fresh
        else:
            for kept, new in zip(
                training_state(self._model), training_state(fresh), strict=True
            ):
                kept.assign(new)
        return self._model


def training_state(model: keras.Model) -> list[keras.Variable]:
    """All that a training changes. Metrics, which are among it, `fit` resets."""
    # Once: a loss-scaling optimizer would make its variables again.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    found = list(model.variables)
    for value in vars(model).values():
        if isinstance(value, keras.optimizers.Optimizer):
            found += value.variables
    return found
