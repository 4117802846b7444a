"""Adversarial training through `UAECallback`, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from ...attacks import PGDAttack
from ...criteria import UntargetedMargin
from ...models.strided_classifier import strided_classifier
from ...training import AugmentedDataset, UAECallback

EPSILON = 0.3
#: Of the evaluation (SPEC 4.19 j): stronger than what training sees.
EVALUATION_STEPS, EVALUATION_STEP_SIZE = 40, 0.01


def train_robust(
    x: np.ndarray,
    y: np.ndarray,
    epochs: int = 30,
    epsilon: float = EPSILON,
    steps: int = 7,
    step_size: float = 0.1,
    learning_rate: float = 2e-3,
    batch_size: int = 128,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Trains a small classifier on images and on PGD examples of them.

    Each epoch sees every image twice: as it is, and as what PGD made of it against the
    classifier of the epoch's beginning, under the same label. The first epoch sees the
    images alone. As examples go stale within an epoch, many epochs over few images
    serve better than few over many, at the same cost.

    Args:
        x: ``(N, height, width, channels)`` images in [0, 1].
        y: ``(N,)`` labels.
        epochs: in all; ``2 N / batch_size`` updates each.
        epsilon: L-infinity bound of the examples.
        steps: of PGD in training.
        step_size: of PGD in training.
        learning_rate: of Adam at the start; falls to 0 along a half cosine.
        batch_size: rows of an update.
        seed: of weights, order and start noise.
        callbacks: further ones, for `fit`.

    Returns:
        The trained :func:`uae_tf.models.strided_classifier`.

    Cost:
        ``N (steps + 1)`` gradients for examples and ``2 N`` for updates an epoch.

    Reference:
        Madry et al., ICLR 2018, whose examples are made anew for every batch.
    """
    keras.utils.set_random_seed(seed)
    model = strided_classifier(x.shape[1:], len(np.unique(y)))
    updates = epochs * -(-2 * len(x) // batch_size)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, updates)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    attack = PGDAttack(
        UntargetedMargin(model),
        epsilon=epsilon,
        steps=steps,
        step_size=step_size,
        seed=seed,
    )
    data = AugmentedDataset(x, y, batch_size=batch_size, seed=seed)
    again = UAECallback(
        data,
        attack,
        phase_epochs=1,
        failed="attempt",
        batch_size=min(1000, len(x)),
        verbose=0,
    )
    model.fit(data, epochs=epochs, callbacks=[again, *callbacks], verbose=0)
    return model


def robust_accuracy(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float = EPSILON,
    restarts: int = 5,
    seed: int = 0,
) -> float:
    """The share of images on which PGD-40 finds no adversarial example.

    Args:
        model: a classifier that returns logits.
        x: ``(N, *shape)``.
        y: ``(N,)`` labels; images that are misclassified as they are count as found.
        epsilon: L-infinity bound.
        restarts: starts; an image stands if it withstands all of them.
        seed: of the starts.
    """
    attack = PGDAttack(
        UntargetedMargin(model),
        epsilon=epsilon,
        steps=EVALUATION_STEPS,
        step_size=EVALUATION_STEP_SIZE,
        restarts=restarts,
        seed=seed,
    )
    return 1.0 - attack(x, y, batch_size=min(500, len(x))).success_rate
