"""How much an example is still like its sample: structure, and mutual information."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from ..mine import MINE, observe
from ..ops import pad_to, per_sample_seeds


def structural_similarity(
    x: np.ndarray, examples: np.ndarray, bounds: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """Structural similarity (SSIM) of images and examples.

    Args:
        x: ``(N, height, width, channels)``, sides of 4 or more.
        examples: the same shape.
        bounds: smallest and largest value.

    Returns:
        ``(N,)``, at most 1 (equal). The window is Gaussian, 11 pixels wide, or as wide
        as the image where that is smaller.

    Raises:
        ValueError: no images, or shapes that differ.

    Reference:
        Wang et al. 2004.
    """
    if x.shape != examples.shape or x.ndim != 4 or min(x.shape[1:3]) < 4:
        raise ValueError(
            "`x` and `examples` must be images (N, height, width, channels) of one "
            f"shape, sides of 4 or more. Received: x of shape {x.shape}, examples of "
            f"shape {examples.shape}"
        )
    low, high = bounds
    size = min(11, *x.shape[1:3])
    found = tf.image.ssim(
        tf.constant(x - low, tf.float32),
        tf.constant(examples - low, tf.float32),
        high - low,
        filter_size=size,
    )
    return found.numpy()


def critic_mutual_information(
    model: keras.Model,
    x: np.ndarray,
    examples: np.ndarray,
    marginals: str = "all",
    views: str = "auto",
    steps: int = 1000,
    seed: int = 0,
    batch_size: int = 250,
) -> np.ndarray:
    """MINE of examples by a fresh critic each, all trained for the same steps.

    An attack reports the value of a critic that was trained along with it, and grows
    with that training. Here the examples of all attacks meet the same judge.

    Args:
        model: whose first convolution gives the views.
        x: ``(N, *shape)``.
        examples: ``(N, *shape)``.
        marginals: "all", "shifts" or "shuffle"; see :class:`uae_tf.MINE`. The value is
            at most ln K with the first two; with "shuffle", the published single
            permutation, it has no bound and grows as long as the critic is trained.
        views: see :class:`uae_tf.MINE`.
        steps: ascent steps of each critic, rounded up to a multiple of 20.
        seed: of compressive measurements and permutations.
        batch_size: samples per compiled call.

    Returns:
        ``(N,)`` nats.

    Raises:
        ValueError: shapes that differ, no sample, or fewer than 20 steps.
    """
    if x.shape != examples.shape or len(x) == 0 or steps < 20:
        raise ValueError(
            "`x` and `examples` must be samples of one shape, and `steps` at least 20. "
            f"Received: x of shape {x.shape}, examples of shape {examples.shape}, "
            f"steps={steps}"
        )
    inner = 20
    similarity = MINE(
        views, marginals, inner_steps=inner, warmup_steps=steps - inner, seed=seed
    ).for_model(model)
    layer = similarity.observed_layer(model)

    @tf.function(autograph=False)
    def value(clean: tf.Tensor, moved: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        features = []
        for samples in (clean, moved):
            with observe(layer) as recorded:
                outputs = model(samples, training=False)
            observed = recorded[0] if recorded else None
            features.append(similarity.features(clean, samples, outputs, observed))
        state = similarity.prepare(clean, features[0], per_sample_seeds(seed, ids))
        return similarity.update(state, features[1], tf.constant(0))[1]

    size = min(batch_size, len(x))
    found = []
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        clean, moved = (
            tf.constant(pad_to(np.asarray(a[rows], np.float32), size))
            for a in (x, examples)
        )
        ids = tf.range(start, start + size, dtype=tf.int64)
        found.append(value(clean, moved, ids).numpy())
    return np.concatenate(found)[: len(x)]
