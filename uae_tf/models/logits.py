"""What a model takes, and what it must return to be treated as a classifier."""

from __future__ import annotations

from typing import Any

import keras

# Layers and operations that hand on what they are given, in another form at most.
_PASSING = (
    *("Identity", "Dropout", "Reshape", "Flatten", "Permute", "Cast"),
    *("ExpandDims", "Squeeze", "Transpose", "Ravel"),
)
# Layers and operations with these names have the activation of the same name.
_SQUASHING = ("Softmax", "Sigmoid")


def sample_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """Return the shape of one sample as a model knows it, None where it does not.

    Functional and Sequential models say it themselves; a subclassed one remembers the
    shape it was built with.
    """
    shape: Any = getattr(model, "input_shape", None)
    if shape is None:
        shape = (model.get_build_config() or {}).get("input_shape")
    # A list or a dict are several inputs; an empty tuple is none.
    is_one = isinstance(shape, tuple | list) and len(shape) > 1
    if not is_one or not all(isinstance(size, int | None) for size in shape):
        return None
    return tuple(shape[1:])


def output_shape(model: keras.Model, sample_shape: tuple[int, ...]) -> Any:
    """Return the shape of a model's output for one sample, without the batch axis.

    Args:
        model: A built Keras model.
        sample_shape: Shape of one sample, without the batch axis.

    Returns:
        A tuple; for several outputs a structure of them.

    Raises:
        ValueError: The model does not take such samples.
    """
    # The spec, not the shape: subclassed models seldom define the latter.
    try:
        spec = model.compute_output_spec(keras.KerasTensor((1, *sample_shape)))
    except Exception as error:  # Whatever a subclassed model may raise.
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise ValueError(
            f"`x` does not fit the model {model.name!r}, which does not take samples "
            f"of shape {tuple(sample_shape)}. It says: {reason[0]}"
        ) from error
    return keras.tree.map_structure(lambda output: output.shape[1:], spec)


def check_logits(model: keras.Model, sample_shape: tuple[int, ...]) -> int:
    """Return the number of classes of a model that gives logits.

    Args:
        model: A built Keras model.
        sample_shape: Shape of one sample, without the batch axis.

    Raises:
        ValueError: The model does not take such samples, the output is not (batch,
            classes) with two classes or more, or it ends in a softmax or sigmoid.
            What a subclassed model ends in is not known and not checked.
    """
    shape = output_shape(model, sample_shape)
    if not (isinstance(shape, tuple) and len(shape) == 1 and (shape[0] or 0) > 1):
        raise ValueError(
            "A classifier must return logits (batch, classes), two classes or more. "
            f"{model.name!r} maps samples of shape {tuple(sample_shape)} to {shape}."
        )
    activation = _final_activation(model)
    if activation in ("softmax", "sigmoid"):
        raise ValueError(
            f"A classifier must return logits, but {model.name!r} ends in a "
            f"{activation}: probabilities would pass for logits, and a second "
            "softmax flatten them. Leave out that activation, and compile with "
            "`from_logits=True`."
        )
    return shape[0]


def _final_activation(model: keras.Model, number: int = 0) -> str | None:
    """Name of the function that made an output of a functional model, if it has one."""
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return None
    operation, node, number = outputs[number]._keras_history
    while _passes(operation):
        inputs = operation._inbound_nodes[node].input_tensors
        operation, node, number = inputs[0]._keras_history
    if isinstance(operation, keras.Model):
        return _final_activation(operation, number)
    name = type(operation).__name__
    if name in _SQUASHING:
        return name.lower()
    return getattr(getattr(operation, "activation", None), "__name__", None)


def _passes(operation: keras.Operation) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return type(operation).__name__ in _PASSING
