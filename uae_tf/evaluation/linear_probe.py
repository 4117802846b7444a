"""A linear classifier on a frozen encoder: what its features are worth."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from ..datasets.pipelines import untuned
from .classification import check_class_numbers, class_outputs
from .embedding import embed

#: Updates per compiled call at most.
_STEPS = 25
#: Samples augmented at a time.
_ROWS = 1000


def linear_probe(
    encoder: keras.Model,
    x: np.ndarray,
    y: np.ndarray | None,
    *,
    epochs: int = 100,
    batch_size: int = 512,
    learning_rate: float = 0.1,
    augment: keras.layers.Layer | None = None,
    seed: int = 0,
) -> keras.Sequential:
    """Trains a linear head on an encoder that does not move.

    Features are those of the encoder in inference mode, before any projection; the head
    is that of :func:`linear_head`.

    Args:
        encoder: maps ``(batch, *shape)`` to features ``(batch, d)``.
        x: ``(N, *shape)`` training samples.
        y: ``(N,)`` class numbers.
        epochs: passes over ``x``.
        batch_size: samples per update, at most N.
        learning_rate: for a batch of 256.
        augment: layer applied to the training samples anew in each epoch, such as
            random crop and flip (published head). None: features are computed once,
            which is faster by about the number of epochs.
        seed: of the order. Augmentations come from the layer's own. The global seeds
            of Python, NumPy and TensorFlow are set.

    Returns:
        The encoder and its head, built: samples -> logits ``(batch, C)`` float32,
        differentiable in the samples. Only the head was trained; no weight of the
        encoder has moved, its normalisation statistics among them.

    Raises:
        ValueError: labels missing or of another number, fewer than 2 classes.
    """
    check_class_numbers("y", y, x)

    def features() -> np.ndarray:
        return embed(encoder, x if augment is None else augmented(augment, x))

    head = linear_head(
        features(),
        y,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        renew=None if augment is None else features,
        seed=seed,
    )
    return keras.Sequential([keras.Input(x.shape[1:]), encoder, *head.layers])


def linear_head(
    features: np.ndarray,
    y: np.ndarray | None,
    *,
    epochs: int = 100,
    batch_size: int = 512,
    learning_rate: float = 0.1,
    renew: Callable[[], np.ndarray] | None = None,
    seed: int = 0,
    num_classes: int | None = None,
) -> keras.Sequential:
    """Trains a linear classifier of features by gradient descent.

    Nesterov momentum 0.9, the rate times ``batch_size / 256``, no decay, no warm-up;
    all weights start at zero (SPEC 6.2).

    Args:
        features: ``(N, d)``.
        y: ``(N,)`` class numbers.
        epochs: passes over the features.
        batch_size: samples per update, at most N.
        learning_rate: for a batch of 256.
        renew: returns the features of every epoch after the first, of other
            augmentations of the same samples; None for the same again.
        seed: of the order. The global seeds of Python, NumPy and TensorFlow are set.
        num_classes: C, where other samples may have classes that ``y`` lacks; None for
            the largest of ``y``, plus 1.

    Returns:
        Features -> logits ``(batch, C)`` float32.

    Raises:
        ValueError: labels missing or of another number, fewer than 2 classes.
    """
    y = check_class_numbers("y", y, features)
    num_classes = int(y.max()) + 1 if num_classes is None else num_classes
    if num_classes < 2:
        raise ValueError(f"`y` must hold two classes or more. Received: {np.unique(y)}")
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(
        num_classes, kernel_initializer="zeros", dtype="float32", name="head"
    )
    head = keras.Sequential([keras.Input(features.shape[1:]), dense])
    batch_size = min(batch_size, len(features))
    head.compile(
        keras.optimizers.SGD(learning_rate * batch_size / 256, 0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # XLA would take longer to compile it than it takes to train.
        jit_compile=False,
        steps_per_execution=min(_STEPS, -(-len(features) // batch_size)),
    )
    # Or Keras traces the first step twice.
    head.optimizer.build(head.trainable_variables)
    if renew is None:
        head.fit(
            _batches(features, y, batch_size, epochs, seed), shuffle=False, verbose=0
        )
        return head
    for epoch in range(epochs):
        rows = features if epoch == 0 else renew()
        # Under a global seed the order that Keras draws would be the same each time.
        once = _batches(rows, y, batch_size, 1, seed + epoch)
        head.fit(once, shuffle=False, verbose=0)
    return head


def _batches(
    features: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, seed: int
) -> tf.data.Dataset:
    """All epochs as one, each in another order.

    An epoch of Keras takes a tenth of a second by itself, a hundred times what the
    updates of some thousand features do.
    """
    x, labels = tf.constant(features), tf.constant(y)
    order = tf.data.Dataset.range(len(features)).shuffle(len(features), seed=seed)
    rows = order.batch(batch_size).repeat(epochs)
    return untuned(rows.map(lambda row: (tf.gather(x, row), tf.gather(labels, row))))


def head_scores(
    classifier: keras.Model, x: np.ndarray, y: np.ndarray, batch_size: int = 256
) -> dict[str, float]:
    """Accuracy and mean cross-entropy of a classifier.

    Args:
        classifier: returns logits ``(batch, C)``.
        x: ``(N, *shape)``.
        y: ``(N,)`` class numbers.
        batch_size: samples per forward pass.

    Returns:
        ``accuracy`` in [0, 1] and ``head_cross_entropy`` in nats: what the paper's
        Table 5 seems to call "loss" (SPEC 2.7.4), not to be taken for the contrastive
        loss. Both NaN where an output is none.
    """
    y = check_class_numbers("y", y, x)
    logits = class_outputs(classifier, x, batch_size).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    own = np.take_along_axis(logits, y[:, None], axis=1)[:, 0]
    accuracy = float(np.mean(logits.argmax(axis=1) == y))
    return {
        # Among NaN the first is the largest, which says nothing.
        "accuracy": float("nan") if np.isnan(logits).any() else accuracy,
        "head_cross_entropy": float(np.mean(log_sums - own)),
    }


def augmented(augment: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    """Samples after a random layer in training mode, ``(N, *shape)``."""
    parts = [
        keras.ops.convert_to_numpy(augment(x[start : start + _ROWS], training=True))
        for start in range(0, len(x), _ROWS)
    ]
    return np.concatenate(parts)
