"""Success for contrastive models: the views of x + delta still find each other."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..losses import nt_xent_per_sample
from ..models import SimCLRAugment
from ..types import PerSample, Samples, State
from .criterion import Criterion

#: Terms of the published loss: 50 copies, "two views" of each, without itself.
LEGACY_TERMS = 99
#: Mean squared difference below which two images are one, rounded to 8 bits or not.
_SAME_IMAGE = 1e-5


@keras.saving.register_keras_serializable("uae_tf")
class Contrastive(Criterion):
    """``f = L(x + delta) - L(x) + kappa``, L the contrastive loss of a sample's views.

    R augmentations are drawn once and used for x and for x + delta alike, so that f
    shows what delta does and not what another crop does. Each pair of the R views is
    told apart from M negatives, views of a fixed reference batch::

        L = mean over r != s of  -log( e^(z_r.z_s / T) / (e^(z_r.z_s / T) + sum_m
                                       e^(z_r.n_m / T)) )

    with z and n the projections, scaled to norm 1, of the model in inference mode. The
    gradient goes through crop and colour operations. A reference image that is the
    sample itself is left out of its negatives.

    An attack descends f on these R views, so part of its success is theirs alone: look
    at :meth:`fresh` for success on views that the attack has not seen.

    Args:
        model: a built :class:`~uae_tf.models.SimCLR`, or any Keras model that maps
            images to one vector each.
        reference_batch: ``(M, height, width, channels)`` in [0, 1], two images or more
            (255 to 511 are usual), rounded to 8 bits. May be None with ``legacy``.
        num_views: R, at least 2.
        temperature: T; None for the model's own, or 0.5 where it has none.
        legacy: the published criterion instead: a sample is compared with copies of
            itself, not augmented, so L is the constant ``2 ln 99`` whatever the image
            and its gradient is 0 (SPEC 2.6.3). The ablation shows what start noise and
            similarity do alone; see docs/DECISIONS.md.
        kappa: margin, in nats.
        seed: of the augmentations of samples and of the reference batch.

    Raises:
        ValueError: a reference batch that is no batch of images in [0, 1] that the
            model takes, fewer than 2 views, a model whose output is no vector.
        TypeError: a model's ``augment`` without ``draw`` and ``apply``.

    Randomness:
        The R augmentations follow from ``seed`` alone and are the same for all samples,
        so f of a sample depends on no other.

    Cost:
        R forward passes for each sample and evaluation (one more where a similarity
        looks at the maps of the sample itself) and memory for as many, so give attacks
        a ``batch_size`` smaller by R; M passes for each batch.

    Reference:
        Hsu et al., AAAI 2022, sections 3.2 and 4.6; SPEC 6.9. All ordered pairs of R
        views are used, where SPEC has R pairs: as many terms of lower variance for half
        of the passes.
    """

    def __init__(
        self,
        model: keras.Model,
        reference_batch: np.ndarray | None,
        num_views: int = 4,
        temperature: float | None = None,
        legacy: bool = False,
        kappa: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(model, kappa)
        if num_views < 2:
            raise ValueError(
                "`num_views` must be at least 2: one view has no other to be found by. "
                f"Received: num_views={num_views}"
            )
        if temperature is None:
            temperature = getattr(model, "temperature", 0.5)
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be positive. Received: temperature={temperature}"
            )
        self.num_views = num_views
        self.temperature = float(temperature)
        self.legacy = legacy
        self.seed = seed
        self.reference_batch = None if legacy else _as_reference(reference_batch)
        self.augment = getattr(model, "augment", None) or SimCLRAugment()
        self._fitting_shapes: set[tuple[int, ...]] = set()
        if self.reference_batch is not None:
            _check_augment(self.augment)
            # Numbers, not variables: a compiled attack holds them as constants.
            seeds = keras.random.SeedGenerator(seed)
            self._view_draws = _draw(self.augment, num_views, seeds)
            self._reference_draws = _draw(
                self.augment, len(self.reference_batch), seeds
            )

    def fresh(self, seed: int | None = None, num_views: int | None = None) -> Criterion:
        """The criterion on other augmentations: an independent look at success.

        Args:
            seed: of the augmentations; default the next one.
            num_views: default that of this criterion. More give a steadier number.

        Example:
            ``criterion.fresh().evaluate(x, result.examples)``
        """
        config = {**self._settings(), "reference_batch": self._reference()}
        config["seed"] = self.seed + 1 if seed is None else seed
        config["num_views"] = num_views or self.num_views
        return type(self)(self.model, **config)

    def check(self, x: np.ndarray, y: np.ndarray | None) -> None:
        super().check(x, y)
        shape = tuple(x.shape[1:])
        if shape in self._fitting_shapes:
            return
        if len(shape) != 3:
            raise ValueError(
                "Contrastive augments images, (N, height, width, channels). "
                f"Received: x of shape {x.shape}"
            )
        received = self.output_shape(shape)
        if not (isinstance(received, tuple) and len(received) == 1):
            raise ValueError(
                "Contrastive needs a model that maps an image to one vector. "
                f"{self.model.name!r} maps samples of shape {shape} to {received}."
            )
        reference = self.reference_batch
        if reference is not None and reference.shape[1:] != shape:
            raise ValueError(
                "`reference_batch` must hold images of the shape of `x`, "
                f"{shape}. Received: reference_batch of shape {reference.shape}"
            )
        self._fitting_shapes.add(shape)

    def outputs(self, examples: Samples) -> tf.Tensor:
        """Projections of the views, ``(batch, R, d)`` float32.

        With ``legacy``, of the images as they are: ``(batch, 1, d)``.
        """
        # First, as a similarity records the maps of the first call. Without one nobody
        # asks for this pass, and the compiled graph leaves it out.
        plain = super().outputs(examples)
        if self.legacy:
            return plain[:, None]
        size, views = tf.shape(examples)[0], self.num_views
        # One augmentation after the other, each for the whole batch.
        images = tf.tile(examples, (views, *[1] * (examples.shape.rank - 1)))
        view = tf.repeat(tf.range(views), size)
        draws = {name: tf.gather(d, view) for name, d in self._view_draws.items()}
        projections = super().outputs(self.augment.apply(images, draws))
        stacked = tf.reshape(projections, (views, size, projections.shape[-1]))
        return tf.transpose(stacked, (1, 0, 2))

    def prepare(self, x: Samples, y: tf.Tensor | None, outputs: tf.Tensor) -> State:
        del y
        context: dict[str, tf.Tensor] = {}
        if self.reference_batch is not None:
            # Here, not in the constructor: the weights may have changed since.
            reference = tf.constant(_as_float(self.reference_batch))
            augmented = self.augment.apply(reference, self._reference_draws)
            context["negatives"] = tf.stop_gradient(super().outputs(augmented))
            context["is_negative"] = ~_is_same(x, reference)
        return {**context, "baseline": self.loss(outputs, context)}

    def loss(self, outputs: tf.Tensor, context: State) -> PerSample:
        if self.legacy:
            # All 100 embeddings of the published batch are one: 99 equal terms.
            norms = tf.math.l2_normalize(outputs[:, 0], axis=1)
            cosine = tf.reduce_sum(tf.square(norms), axis=1, keepdims=True)
            terms = tf.tile(cosine / self.temperature, (1, LEGACY_TERMS))
            return 2.0 * (tf.reduce_logsumexp(terms, axis=1) - terms[:, 0])
        return nt_xent_per_sample(
            outputs, context["negatives"], self.temperature, context["is_negative"]
        )

    def _settings(self) -> dict[str, Any]:
        names = ("num_views", "temperature", "legacy", "kappa", "seed")
        return {name: getattr(self, name) for name in names}

    def _reference(self) -> np.ndarray | None:
        return None if self.reference_batch is None else _as_float(self.reference_batch)

    def get_config(self) -> dict[str, Any]:
        """Settings without the model; the reference images as compressed text."""
        reference = self.reference_batch
        packed = None if reference is None else _pack(reference)
        return {**self._settings(), "reference_batch": packed}

    @classmethod
    def from_config(cls, config: dict[str, Any], model: keras.Model) -> Contrastive:
        """The criterion with these settings on ``model``."""
        packed = config["reference_batch"]
        reference = None if packed is None else _as_float(_unpack(packed))
        return cls(model, **{**config, "reference_batch": reference})

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self._settings().items())
        shape = None if self.reference_batch is None else self.reference_batch.shape
        return f"Contrastive({self.model.name!r}, {settings}, reference_batch={shape})"


def _as_reference(reference: Any) -> np.ndarray:
    images = np.asarray(reference)
    if images.ndim != 4 or len(images) < 2 or images.dtype.kind != "f":
        raise ValueError(
            "`reference_batch` must hold images, (M, height, width, channels), floating"
            f" point, two or more. Received: shape {images.shape}, dtype {images.dtype}"
        )
    # Not `min() < 0`: that would let NaN pass.
    if not (images.min() >= 0.0 and images.max() <= 1.0):
        raise ValueError(
            "`reference_batch` must lie in [0, 1]. Received: values from "
            f"{images.min()} to {images.max()}. Rescale it, such as by 1 / 255."
        )
    return np.round(255.0 * images).astype(np.uint8)


def _as_float(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255.0


def _check_augment(augment: Any) -> None:
    if not (hasattr(augment, "draw") and hasattr(augment, "apply")):
        raise TypeError(
            "Contrastive draws augmentations once and applies the same to x and to "
            "x + delta. The model's `augment` must have `draw(batch_size, seed)` and "
            "`apply(images, parameters)`, as SimCLRAugment has. Received: "
            f"model.augment={augment!r}"
        )


def _draw(
    augment: SimCLRAugment, count: int, seeds: keras.random.SeedGenerator
) -> dict[str, np.ndarray]:
    draws = augment.draw(count, seeds)
    return {n: keras.ops.convert_to_numpy(values) for n, values in draws.items()}


def _is_same(x: Samples, reference: Samples) -> tf.Tensor:
    """Which reference image each sample is, ``(batch, M)`` bool."""
    first, second = (tf.reshape(t, (tf.shape(t)[0], -1)) for t in (x, reference))
    squares = (
        tf.reduce_sum(tf.square(first), axis=1)[:, None]
        - 2.0 * tf.matmul(first, second, transpose_b=True)
        + tf.reduce_sum(tf.square(second), axis=1)[None]
    )
    return squares < _SAME_IMAGE * tf.cast(tf.shape(first)[1], squares.dtype)


def _pack(images: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, images, allow_pickle=False)
    return base64.b64encode(zlib.compress(buffer.getvalue())).decode("ascii")


def _unpack(text: str) -> np.ndarray:
    data = zlib.decompress(base64.b64decode(text))
    return np.load(io.BytesIO(data), allow_pickle=False)
