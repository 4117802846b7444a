"""Looking inside any Keras model: its first convolution, and a layer's output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def first_convolution(model: keras.Model) -> keras.Layer | None:
    """The first convolution layer in the order of ``model.layers``, nested ones too.

    Looks into nested models and into layers made of layers, but not into wrappers
    (``TimeDistributed``): what those run is not one call with one output.

    Args:
        model: any Keras model or layer.

    Returns:
        The layer, None where there is none.

    Example:
        >>> import keras
        >>> layer = keras.layers.Conv2D(2, 3)
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), layer])
        >>> first_convolution(model) is layer
        True
    """
    if isinstance(model, _CONVOLUTIONS):
        return model
    for layer in _children(model):
        found = first_convolution(layer)
        if found is not None:
            return found
    return None


def _children(layer: keras.Layer) -> list[keras.Layer]:
    if isinstance(layer, keras.layers.Wrapper | keras.layers.RNN):
        return []
    if isinstance(layer, keras.Model):
        return layer.layers
    # Keras has no public list of a layer's own layers; Model.layers reads this one.
    return layer._flatten_layers(include_self=False, recursive=False)


@contextmanager
def observe(layer: keras.Layer | None) -> Iterator[list[tf.Tensor]]:
    """Records what ``layer`` returns while the block runs.

    One forward pass then yields both the model's output and an inner layer's, for
    Functional, Sequential and subclassed models alike; a second model built for the
    purpose would need symbolic inputs, which subclassed models do not have.

    Args:
        layer: of the model that the block calls; None to record nothing.

    Yields:
        A list that every call of the layer adds its output to.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(2)
        >>> model = keras.Sequential([keras.Input((3,)), layer, keras.layers.ReLU()])
        >>> with observe(layer) as recorded:
        ...     _ = model(keras.ops.ones((1, 3)))
        >>> recorded[0].shape
        TensorShape([1, 2])
    """
    recorded: list[tf.Tensor] = []
    if layer is None:
        yield recorded
        return
    original = layer.call
    replaced = layer.__dict__.get("call")

    def recording(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        recorded.append(output)
        return output

    # Through __dict__: Keras would otherwise track the assignment as a new attribute.
    layer.__dict__["call"] = recording
    try:
        yield recorded
    finally:
        if replaced is None:
            del layer.__dict__["call"]
        else:
            layer.__dict__["call"] = replaced


def observed_call(
    model: Callable[[tf.Tensor], tf.Tensor],
    samples: tf.Tensor,
    layer: keras.Layer | None,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """What a model and, in the same pass, a layer of it return for ``samples``.

    Args:
        model: calls the model.
        samples: ``(batch, *shape)``.
        layer: the layer to look at; None for none.

    Returns:
        The outputs, and what the first call of the layer returned, None without one.

    Raises:
        ValueError: nothing of the layer could be seen, or not one row per sample.
    """
    with observe(layer) as recorded:
        outputs = model(samples)
    if layer is None:
        return outputs, None
    if not (recorded and _belongs(recorded[0], outputs, samples)):
        raise ValueError(
            f"The similarity looks at the layer {layer.name!r}, which the model does "
            "not call with one row per sample, or calls inside a tf.function of its "
            "own, where nobody can look. Take off that decorator, as what looks is "
            "compiled anyway, or use another similarity, such as "
            'MINE(views="compressive").'
        )
    return outputs, recorded[0]


def _belongs(observed: tf.Tensor, outputs: tf.Tensor, samples: tf.Tensor) -> bool:
    """Whether it is of the graph that the outputs are in, and has a row per sample."""
    # Eager tensors are in no graph.
    graphs = {id(getattr(tensor, "graph", None)) for tensor in (observed, outputs)}
    has_rows = observed.shape[:1].is_compatible_with(samples.shape[:1])
    return len(graphs) == 1 and has_rows
