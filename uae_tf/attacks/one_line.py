"""The one-liner: an attack with everything chosen from the model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Contrastive, Criterion, Reconstruction
from ..models import SimCLR
from .batches import NO_BATCHES, check_elements, check_samples
from .minmax import MinMaxAttack
from .result import AttackResult

_CALL_SETTINGS = ("batch_size", "sample_ids", "progress", "trace")
#: Samples a contrastive model's views are told apart from, and samples per compiled
#: call: each has several views.
REFERENCE_SIZE, CONTRASTIVE_BATCH = 256, 64


def attack(
    model: keras.Model,
    x: np.ndarray | tf.data.Dataset,
    *,
    preset: str = "default",
    **settings: Any,
) -> AttackResult:
    """Finds unsupervised adversarial examples for a model, whatever it learnt.

    The short form of ``MinMaxAttack(Reconstruction(model), MINE(), ...)(x, ...)``: MINE
    looks at the first convolution's maps where there is one, else at compressive
    measurements. A :class:`~uae_tf.models.SimCLR` gets the criterion
    :class:`~uae_tf.Contrastive`, its reference batch being up to 256 samples of ``x``,
    evenly spaced (of a dataset: of its first batch), and batches of 64.

    Args:
        model: a built Keras model whose output has the shape of its input, or a SimCLR.
        x: ``(N, *shape)`` floating point within the bounds, or a dataset of batches.
        preset: start of the attack: "strong" for examples that differ more from x,
            "paper", "published", or "default", that of :class:`MinMaxAttack`.
        **settings: of :class:`MinMaxAttack` (epsilon, steps, initial_noise, ...) and of
            its call (batch_size, progress, trace, sample_ids).

    Returns:
        An :class:`AttackResult`.

    Example:
        >>> import keras, numpy as np, uae_tf
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([
        ...     keras.Input((8,)), keras.layers.Dense(8, "sigmoid")])
        >>> x = np.random.default_rng(0).uniform(size=(4, 8)).astype("float32")
        >>> result = uae_tf.attack(model, x, steps=2, similarity=uae_tf.GaussianMI())
        >>> result.examples.shape
        (4, 8)
    """
    call = {name: settings.pop(name) for name in _CALL_SETTINGS if name in settings}
    criterion: Criterion
    if isinstance(model, SimCLR):
        criterion = Contrastive(
            model, _reference(x, settings.get("bounds", (0.0, 1.0)))
        )
        call.setdefault("batch_size", CONTRASTIVE_BATCH)
    else:
        criterion = Reconstruction(model)
    return MinMaxAttack.from_preset(preset, criterion, **settings)(x, **call)


def _reference(
    x: np.ndarray | tf.data.Dataset, bounds: tuple[float, float]
) -> np.ndarray:
    if isinstance(x, tf.data.Dataset):
        check_elements(x)
        first = next(iter(x), None)
        if first is None:
            raise ValueError(NO_BATCHES)
        x = np.asarray(first[0] if isinstance(first, tuple) else first)
    x = np.asarray(x)
    # Here, so that nobody hears of a reference batch that they did not give.
    check_samples(x, bounds)
    if len(x) < 2:
        raise ValueError(
            "`x` must hold 2 samples or more for a SimCLR: a view of one is told apart "
            f"from the others. Received: {len(x)} (of a dataset, in its first batch). "
            "Use MinMaxAttack(Contrastive(model, reference_batch)) for single samples."
        )
    size = min(REFERENCE_SIZE, len(x))
    return x[np.linspace(0, len(x) - 1, size).astype(int)]
