"""From a Keras model to a folder that TF-Serving serves."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ..attacks import Attack, MatchedNoise
from ..attacks.batches import checked_bounds
from ..files import write_json
from ..models.logits import sample_shape
from .card import CARD, check_card, describe_model, describe_signature
from .repository import ModelRepository
from .signatures import (
    UINT8,
    Signatures,
    find_encoder,
    reconstruction_criterion,
)


def export(
    model: keras.Model,
    directory: str | os.PathLike[str],
    *,
    name: str | None = None,
    version: int | None = None,
    attack: Attack | None = None,
    bounds: tuple[float, float] | None = None,
    encoder: keras.Layer | None = None,
    input_shape: Sequence[int | None] | None = None,
    card: Mapping[str, Any] | None = None,
    server_directory: str = "/models",
) -> Path:
    """Exports a model, and an attack on it, as a version in a TF-Serving repository.

    Writes ``<directory>/<name>/<version>/``, a SavedModel that needs neither Keras nor
    uae_tf, with a ``card.json``, and lists the model in ``<directory>/models.config``.
    The signatures are those of :class:`uae_tf.serving.Signatures`: ``serving_default``,
    ``encode`` where there is an encoder, ``score`` where there is a criterion, and
    ``attack``; each also as ``..._uint8``. They refuse, naming the input, samples of
    another shape, of no rows, with NaN, and for ``attack`` outside of the bounds.

    Args:
        model: a built Keras model of one input: Functional, Sequential or subclassed.
        directory: the repository; made if missing.
        name: of the model in the repository; default the model's own.
        version: a positive whole number that is not there yet; default the next.
        attack: any attack on ``model``, put into the graph with all of its iterations.
            Its criterion's loss is the score; without one that is of
            :class:`uae_tf.Reconstruction`, where the output fits the input.
        bounds: smallest and largest value of x, for which 0 and 255 stand in the 8-bit
            forms; default the attack's, and without one (0, 1), or (0, 255) of a model
            whose input is of 8 bits itself.
        encoder: from samples to codes, sharing the model's layers; default
            ``model.encoder``, if there is one.
        input_shape: of one sample; default as the model was built. None for axes of
            any length, which an attack does not take.
        card: what is known of the training, any of "description", "data", "licence",
            "settings", "seeds", "metrics".
        server_directory: where the server sees ``directory``; default as in the image
            tensorflow/serving.

    Returns:
        The folder of the version.

    Raises:
        TypeError, ValueError: before anything is written, with the argument, what came
            and what is expected.

    Randomness:
        None here. The exported attack with ``seed`` ``[s]`` gives what it gives in
        Python with ``seed=s``; inner steps of MINE are not compiled by XLA there, so
        numbers can differ by rounding unless MINE has ``jit_compile=False``.

    Example:
        >>> import keras, tempfile
        >>> model = keras.Sequential([
        ...     keras.Input((8,)), keras.layers.Dense(8, "sigmoid")])
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = export(model, directory, name="mine")
        ...     path.relative_to(directory).as_posix()
        'mine/1'
    """
    shape = _check_model(model, input_shape)
    _check_attack(attack, model, shape)
    repository = ModelRepository(
        directory, model.name if name is None else name, version, server_directory
    )
    fields = check_card(card)
    encoder = find_encoder(model, shape) if encoder is None else encoder
    criterion = attack.criterion if attack else None
    criterion = criterion or reconstruction_criterion(model, shape)
    bounds = _bounds(model, attack, bounds)
    signatures = Signatures(model, shape, encoder, criterion, attack, bounds)
    fields |= describe_model(model, bounds, criterion, attack)

    def write(folder: Path) -> None:
        archive, functions = _archive(signatures)
        fields["signatures"] = {
            key: describe_signature(function) for key, function in functions.items()
        }
        with _without_notices():
            archive.write_out(str(folder), verbose=False)

    def seal(folder: Path, number: int) -> None:
        heading = {"name": repository.name, "version": number}
        write_json(folder / CARD, {**heading, **fields})

    return repository.add(write, seal)


@contextmanager
def _without_notices() -> Iterator[None]:
    """Keeps TensorFlow from telling a temporary folder's name; warnings still pass."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


# Any: Keras declares the archives of all its backends.
def _archive(signatures: Signatures) -> tuple[Any, dict[str, Any]]:
    # Without archive.track(model): variables are found by themselves, and tracked ones
    # would be stored a second time.
    archive, functions = keras.export.ExportArchive(), {}
    for name, signature in signatures.floating().items():
        function = archive.add_endpoint(
            name, signature.function, list(signature.inputs)
        )
        quantized = signatures.quantized(signature, function)
        functions[name] = function
        functions[name + UINT8] = archive.add_endpoint(
            name + UINT8, quantized.function, list(quantized.inputs)
        )
    return archive, functions


def _check_model(
    model: keras.Model, input_shape: Sequence[int | None] | None
) -> tuple[int | None, ...]:
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a keras.Model. "
            f"Received: model={model!r} of type {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"The model {model.name!r} is not built, so it has no weights to export. "
            "Call it once on a batch, or give it a keras.Input."
        )
    if len(getattr(model, "inputs", None) or ()) > 1:
        raise ValueError(
            "A model of one input can be exported. Received: "
            f"{model.name!r} with {len(model.inputs)} inputs."
        )
    shape = sample_shape(model) if input_shape is None else tuple(input_shape)
    if not shape:
        raise ValueError(
            f"`input_shape`, the shape of one sample, is not known of {model.name!r}: "
            "it was built without one. Pass it, such as "
            f"(28, 28, 1). Received: input_shape={input_shape!r}"
        )
    return shape


def _bounds(
    model: keras.Model, attack: Attack | None, bounds: tuple[float, float] | None
) -> tuple[float, float]:
    if attack is not None:
        if bounds is not None and checked_bounds(bounds) != attack.bounds:
            raise ValueError(
                "`bounds` must be those of the attack. Received: "
                f"bounds={bounds} and an attack with bounds={attack.bounds}."
            )
        return attack.bounds
    if bounds is not None:
        return checked_bounds(bounds)
    inputs = getattr(model, "inputs", None) or ()
    is_8_bit = any(tensor.dtype == "uint8" for tensor in inputs)
    return (0.0, 255.0 if is_8_bit else 1.0)


def _check_attack(
    attack: Attack | None, model: keras.Model, shape: tuple[int | None, ...]
) -> None:
    if attack is None:
        return
    if not isinstance(attack, Attack):
        raise TypeError(
            "`attack` must be a uae_tf attack, such as "
            f"MinMaxAttack(Reconstruction(model)). Received: attack={attack!r}"
        )
    if isinstance(attack, MatchedNoise):
        raise TypeError(
            "`attack` must find examples from samples alone; MatchedNoise needs the "
            "norms of another attack's. Received: attack=MatchedNoise"
        )
    if attack.criterion is not None and attack.criterion.model is not model:
        raise ValueError(
            "`attack` must be on the exported model itself. Received: a criterion on "
            f"{attack.criterion.model.name!r} and the model {model.name!r}."
        )
    if None in shape:
        raise ValueError(
            "`attack` needs samples of one size. Received: a model for samples of "
            f"shape {shape}. Pass `input_shape` without None."
        )
