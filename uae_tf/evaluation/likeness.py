"""How much an example is still like its sample: structure, and mutual information."""

from __future__ import annotations

import functools

import keras
import numpy as np
import tensorflow as tf

from ..criteria import Criterion
from ..mine import MINE, observed_call
from ..ops import pad_to, per_sample_seeds

_INNER_STEPS = 20


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


class CriticInformation:
    """MINE of examples by a fresh critic each, all trained for the same steps.

    An attack reports the value of a critic that was trained along with it, and grows
    with that training. Here the examples of all attacks meet the same judge.

    Args:
        model: whose first convolution gives the views.
        marginals: "all", "shifts" or "shuffle"; see :class:`uae_tf.MINE`. The value is
            at most ln K with the first two; with "shuffle", the published single
            permutation, it has no bound on either side: the critic overfits the pairs
            it has seen, and is judged on a permutation that may hold others.
        views: see :class:`uae_tf.MINE`.
        steps: ascent steps of each critic, rounded up to a multiple of 20.
        seed: of compressive measurements and permutations.
        batch_size: samples per compiled call; compiled once for each size that comes.

    Raises:
        ValueError: fewer than 20 steps.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3)])
        >>> x = np.random.default_rng(0).random((2, 6, 6, 1), np.float32)
        >>> bool(np.all(CriticInformation(model, steps=100)(x, x) <= np.log(4) + 1e-5))
        True
    """

    def __init__(
        self,
        model: keras.Model,
        marginals: str = "all",
        views: str = "auto",
        steps: int = 1000,
        seed: int = 0,
        batch_size: int = 250,
    ) -> None:
        if steps < _INNER_STEPS:
            raise ValueError(
                f"`steps` must be at least {_INNER_STEPS}. Received: steps={steps}"
            )
        self.model = model
        # As an attack calls it.
        self._model_outputs = Criterion(model).outputs
        self.seed = seed
        self.batch_size = batch_size
        self.similarity = MINE(
            views,
            marginals,
            inner_steps=_INNER_STEPS,
            warmup_steps=steps - _INNER_STEPS,
            seed=seed,
        ).for_model(model)
        self._compiled = tf.function(
            functools.partial(self._judge_batch), autograph=False
        )

    def __call__(self, x: np.ndarray, examples: np.ndarray) -> np.ndarray:
        """Judges examples.

        Args:
            x: ``(N, *shape)``.
            examples: the same shape.

        Returns:
            ``(N,)`` nats.

        Raises:
            ValueError: shapes that differ, or no sample.
        """
        if x.shape != examples.shape or len(x) == 0:
            raise ValueError(
                "`x` and `examples` must be samples of one shape, one or more. "
                f"Received: x of shape {x.shape}, examples of shape {examples.shape}"
            )
        size = min(self.batch_size, len(x))
        found = []
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            clean, moved = (
                tf.constant(pad_to(np.asarray(a[rows], np.float32), size))
                for a in (x, examples)
            )
            ids = tf.range(start, start + size, dtype=tf.int64)
            found.append(self._compiled(clean, moved, ids).numpy())
        return np.concatenate(found)[: len(x)]

    def _judge_batch(
        self, clean: tf.Tensor, moved: tf.Tensor, ids: tf.Tensor
    ) -> tf.Tensor:
        similarity = self.similarity
        first, second = (self._features(clean, x) for x in (clean, moved))
        state = similarity.prepare(clean, first, per_sample_seeds(self.seed, ids))
        return similarity.update(state, second, tf.constant(0))[1]

    def _features(self, clean: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        layer = self.similarity.observed_layer(self.model)
        outputs, observed = observed_call(self._model_outputs, samples, layer)
        return self.similarity.features(clean, samples, outputs, observed)
