"""An exported model in memory, without Keras: what a stand-in server runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


class ServedModel:
    """One version of a model, asked by signature.

    Args:
        path: of the version.
    """

    def __init__(self, path: Path) -> None:
        content = saved_model_pb2.SavedModel.FromString(
            (path / "saved_model.pb").read_bytes()
        )
        #: As clients see them, by name.
        self.signatures = dict(content.meta_graphs[0].signature_def)
        # The whole is kept: a function does not keep the variables it uses alive.
        self._loaded = tf.saved_model.load(str(path))

    def predict(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
        """The outputs of a signature, by name.

        Raises:
            ValueError: an unknown signature, missing, unknown or wrongly typed inputs.
            InvalidArgumentError: what the graph refuses.
        """
        if name not in self._loaded.signatures:
            known = sorted(self._loaded.signatures)
            raise ValueError(f"No signature {name!r}. There are: {known}")
        expected = self.signatures[name].inputs
        if set(inputs) != set(expected):
            raise ValueError(
                f"The inputs of {name!r} are {sorted(expected)}. "
                f"Received: {sorted(inputs)}"
            )
        for key, array in inputs.items():
            dtype = tf.as_dtype(expected[key].dtype)
            if tf.as_dtype(array.dtype) != dtype:
                raise ValueError(
                    f"`{key}` must be of type {dtype.name}. Received: {array.dtype}"
                )
        tensors = {key: tf.constant(array) for key, array in inputs.items()}
        outputs = self._loaded.signatures[name](**tensors)
        return {key: tensor.numpy() for key, tensor in outputs.items()}
