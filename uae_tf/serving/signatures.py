"""What a model can be asked once it is exported: functions with named tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ..attacks import Attack
from ..criteria import Criterion, Reconstruction
from ..models import SimCLR
from .guards import checked_labels, checked_samples, checked_seeds

#: Appended to the name of a signature that takes 8-bit samples.
UINT8 = "_uint8"

Outputs = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Signature:
    """One question.

    Attributes:
        function: from the inputs, in order, to named outputs.
        inputs: their specs, with names.
    """

    function: Callable[..., Outputs]
    inputs: tuple[tf.TensorSpec, ...]


class Signatures:
    """The signatures of one model, each in float32 and in 8 bits.

    =================== =========== ============================================
    signature           inputs      outputs
    =================== =========== ============================================
    ``serving_default`` x           reconstruction, or whatever the model gives
    ``encode``          x           code
    ``embed``           x           embedding: of a `SimCLR`, in place of ``encode``
    ``score``           x (y)       score: the criterion's loss, ``(batch,)``
    ``attack``          x (y) seed  examples, success, similarity
    =================== =========== ============================================

    ``x`` is ``(batch, *shape)`` float32; ``y``, for criteria with labels, ``(batch,)``
    int64; ``seed`` int32, ``(1,)`` or ``(batch,)``. ``NAME_uint8`` takes ``x`` in 8
    bits, 0 and 255 being the bounds, and gives the same outputs.

    Args:
        model: a built model of one input.
        shape: of one sample, None where any length will do.
        encoder: from samples to codes, or None.
        criterion: what ``score`` is the loss of, or None.
        attack: on ``model``, or None.
        bounds: smallest and largest value of a sample.
    """

    def __init__(
        self,
        model: keras.Model,
        shape: tuple[int | None, ...],
        encoder: keras.Layer | None,
        criterion: Criterion | None,
        attack: Attack | None,
        bounds: tuple[float, float],
    ) -> None:
        self.model = model
        self.shape = shape
        self.encoder = encoder
        self.criterion = criterion
        self.attack = attack
        self.bounds = bounds

    def floating(self) -> dict[str, Signature]:
        """The signatures for float32 samples, by name."""
        x = tf.TensorSpec((None, *self.shape), tf.float32, name="x")
        labels = self._labels()
        found = {"serving_default": Signature(self._predict, (x,))}
        if isinstance(self.model, SimCLR):
            # Its output is for training; what it is trained for is the embedding.
            embed = Signature(self._embed, (x,))
            found = {"serving_default": embed, "embed": embed}
        elif self.encoder is not None:
            found["encode"] = Signature(self._encode, (x,))
        if self.criterion is not None:
            found["score"] = Signature(self._score, (x, *labels))
        if self.attack is not None:
            seed = tf.TensorSpec((None,), tf.int32, name="seed")
            found["attack"] = Signature(self._attack, (x, *labels, seed))
        return found

    def quantized(
        self, signature: Signature, function: Callable[..., Outputs]
    ) -> Signature:
        """The form for 8-bit samples of a signature, calling its exported function."""
        low, high = self.bounds

        def rescaled(x: tf.Tensor, *others: tf.Tensor) -> Outputs:
            # In this order 0 to 255 stay whole numbers where they are the bounds.
            x = low + tf.cast(x, tf.float32) * (high - low) / 255.0
            # One rounding above the bound would be refused.
            return function(tf.clip_by_value(x, low, high), *others)

        x, *others = signature.inputs
        x = tf.TensorSpec(x.shape, tf.uint8, name="x")
        return Signature(rescaled, (x, *others))

    def _predict(self, x: tf.Tensor) -> Outputs:
        x = checked_samples(x, self.shape)
        return _named(self.model(x, training=False), x.shape)

    def _encode(self, x: tf.Tensor) -> Outputs:
        assert self.encoder is not None
        x = checked_samples(x, self.shape)
        return {"code": _as_float32(self.encoder(x, training=False))}

    def _embed(self, x: tf.Tensor) -> Outputs:
        x = checked_samples(x, self.shape)
        return {"embedding": _as_float32(self.model.embed(x))}

    def _score(self, x: tf.Tensor, *labels: tf.Tensor) -> Outputs:
        assert self.criterion is not None
        x = checked_samples(x, self.shape)
        y = checked_labels(labels[0], x) if labels else None
        outputs = self.criterion.outputs(x)
        context = self.criterion.prepare(x, y, outputs)
        # Not the baseline: margins, which compare with no clean sample, have none.
        return {"score": self.criterion.loss(outputs, context)}

    def _attack(self, x: tf.Tensor, *others: tf.Tensor) -> Outputs:
        assert self.attack is not None
        *labels, seed = others
        x = checked_samples(x, self.shape, self.bounds)
        y = checked_labels(labels[0], x) if labels else None
        outcome = self.attack.best_of_restarts(x, y, checked_seeds(seed, x))
        return {
            "examples": outcome.examples,
            "success": outcome.success,
            "similarity": outcome.similarity,
        }

    def _labels(self) -> tuple[tf.TensorSpec, ...]:
        if self.criterion is None or not self.criterion.needs_labels:
            return ()
        return (tf.TensorSpec((None,), tf.int64, name="y"),)


def find_encoder(
    model: keras.Model, shape: tuple[int | None, ...]
) -> keras.Layer | None:
    """The model's own ``encoder``, if it has one that makes one code of one sample."""
    encoder = getattr(model, "encoder", None)
    if not isinstance(encoder, keras.Layer) or not encoder.built:
        return None
    try:
        code = encoder.compute_output_spec(keras.KerasTensor((None, *shape)))
    except (TypeError, ValueError):
        return None
    return encoder if isinstance(code, keras.KerasTensor) else None


def reconstruction_criterion(
    model: keras.Model, shape: tuple[int | None, ...]
) -> Criterion | None:
    """Reconstruction, where the model's output has the shape of its input."""
    output = model.compute_output_spec(keras.KerasTensor((None, *shape)))
    fits = isinstance(output, keras.KerasTensor) and tuple(output.shape[1:]) == shape
    return Reconstruction(model) if fits else None


def _named(outputs: Any, shape: tf.TensorShape) -> Outputs:
    if isinstance(outputs, tuple | list):
        outputs = {f"output_{i}": part for i, part in enumerate(outputs)}
    if isinstance(outputs, dict):
        if not all(tf.is_tensor(output) for output in outputs.values()):
            raise ValueError(
                "A model that gives a tensor, or a dict or list of tensors, can be "
                f"exported. Received: one that gives {outputs}."
            )
        return {name: _as_float32(output) for name, output in outputs.items()}
    is_reconstruction = outputs.shape[1:].as_list() == shape[1:].as_list()
    name = "reconstruction" if is_reconstruction else "output"
    return {name: _as_float32(outputs)}


def _as_float32(tensor: tf.Tensor) -> tf.Tensor:
    # Under mixed precision outputs are float16, which few clients can read.
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor
