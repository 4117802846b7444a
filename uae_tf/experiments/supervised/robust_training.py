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


def train_robust(
    x: np.ndarray,
    y: np.ndarray,
    epochs: int = 10,
    samples_per_phase: int = 2000,
    epsilon: float = EPSILON,
    steps: int = 7,
    step_size: float = 0.1,
    learning_rate: float = 2e-3,
    batch_size: int = 128,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    num_classes: int | None = None,
) -> keras.Model:
    """Trains a small classifier on images and on PGD examples of them.

    The classifier sees every image twice an epoch: as it is, and as what PGD made of it
    at the beginning of its phase, under the same label. Phases are short, because
    examples go stale: with one phase per epoch of 55,000 images the classifier fits
    examples that no longer concern it, and withstands nothing.

    Args:
        x: ``(N, height, width, channels)`` images in [0, 1].
        y: ``(N,)`` labels.
        epochs: passes over the images.
        samples_per_phase: images that are attacked, then trained on; N at most. What
            remains of an epoch, if they do not divide N, waits for a later one.
        epsilon: L-infinity bound of the examples.
        steps: of PGD in training.
        step_size: of PGD in training.
        learning_rate: of Adam at the start; falls to 0 along a half cosine.
        batch_size: rows of an update.
        seed: of weights, order and start noise.
        callbacks: further ones, for `fit`, whose epochs are the phases here.
        num_classes: of the classifier; None for the largest of ``y``, plus 1.

    Returns:
        The trained :func:`uae_tf.models.strided_classifier`.

    Cost:
        ``N (steps + 1)`` gradients for examples and ``2 N`` for updates an epoch: 27
        seconds for MNIST on two cores.

    Reference:
        Madry et al., ICLR 2018, whose examples are made anew for every batch.
    """
    keras.utils.set_random_seed(seed)
    model = strided_classifier(x.shape[1:], num_classes or int(y.max()) + 1)
    data = AugmentedDataset(
        x, y, batch_size=batch_size, seed=seed, samples_per_epoch=samples_per_phase
    )
    phases = epochs * (len(x) // data.samples_per_epoch)
    updates = phases * len(data)
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
    attacked = UAECallback(
        data,
        attack,
        phase_epochs=1,
        warmup_epochs=0,
        failed="attempt",
        batch_size=min(1000, data.samples_per_epoch),
        verbose=0,
    )
    model.fit(data, epochs=phases, callbacks=[attacked, *callbacks], verbose=0)
    return model
