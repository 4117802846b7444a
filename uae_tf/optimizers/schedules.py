"""Learning rates over the steps of a run."""

from __future__ import annotations

from typing import Any

import keras


def simclr_schedule(
    base_rate: float, batch_size: int, steps: int, warmup_steps: int = 0
) -> keras.optimizers.schedules.CosineDecay:
    """Warm up linearly from 0, then fall to 0 along a cosine.

    Args:
        base_rate: Rate for a batch of 256; the peak is `base_rate * batch_size / 256`.
        batch_size: Images per step.
        steps: Steps of the whole run, warm-up included.
        warmup_steps: Steps until the peak, fewer than `steps`. Defaults to 0.

    Returns:
        Keras's `CosineDecay`, serializable like any Keras schedule.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> rate = simclr_schedule(1.0, batch_size=512, steps=1000, warmup_steps=100)
        >>> [round(float(rate(step)), 2) for step in (0, 50, 100, 550, 1000)]
        [0.0, 1.0, 2.0, 1.0, 0.0]

    Reference:
        SPEC 6.1: base rate 1, 10 epochs of warm-up of 1000.
    """
    if not (base_rate > 0 and batch_size > 0):
        raise ValueError(
            "base_rate and batch_size must be above 0. "
            f"Received: base_rate={base_rate}, batch_size={batch_size}."
        )
    if not 0 <= warmup_steps < steps:
        raise ValueError(
            "warmup_steps must be at least 0 and below steps. "
            f"Received: warmup_steps={warmup_steps}, steps={steps}."
        )
    peak = base_rate * batch_size / 256
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(peak, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps - warmup_steps,
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )


@keras.saving.register_keras_serializable("uae_tf")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Keep a rate for the first half of all updates, then fall linearly to 0.

    Args:
        learning_rate: Of the first half.
        updates: Of the whole run, >= 1.

    Raises:
        ValueError: `updates` is below 1.

    Example:
        >>> decay = LinearDecay(0.1, 100)
        >>> [round(float(decay(step)), 3) for step in (0, 50, 75, 100)]
        [0.1, 0.1, 0.05, 0.0]

    Reference:
        SPEC 7.1.5, whose decay begins later.
    """

    def __init__(self, learning_rate: float, updates: int) -> None:
        if updates < 1:
            raise ValueError(
                f"updates must be at least 1. Received: updates={updates}."
            )
        self.learning_rate = learning_rate
        self.updates = updates

    def __call__(self, step: Any) -> Any:
        left = 2.0 * (1.0 - keras.ops.cast(step, "float32") / self.updates)
        return self.learning_rate * keras.ops.clip(left, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"learning_rate": self.learning_rate, "updates": self.updates}
