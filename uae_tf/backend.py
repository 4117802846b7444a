"""Which part of the library works on the Keras backend in use.

Models, losses and optimizers of contrastive learning are plain Keras and run on any
backend, so that an encoder can be trained where there is no TensorFlow. All the rest,
attacks first of all, needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras

ON_TENSORFLOW = keras.config.backend() == "tensorflow"


def missing_names(package: str, names: Collection[str]) -> Callable[[str], Any]:
    """Return a package's `__getattr__` that says why a public name is not there.

    Args:
        package: `__name__` of the package.
        names: Its `__all__`.
    """

    def __getattr__(name: str) -> Any:
        if name in names and not ON_TENSORFLOW:
            raise ImportError(
                f"{package}.{name} needs Keras on TensorFlow, but the backend is "
                f"{keras.config.backend()!r}. Set the environment variable "
                "KERAS_BACKEND=tensorflow before Keras is imported."
            )
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__


def replica_context() -> Any:
    """TensorFlow's context where several replicas run the same step, else None."""
    if not ON_TENSORFLOW:
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def is_mirrored() -> bool:
    """Whether what is built now will be mirrored on several devices."""
    if not ON_TENSORFLOW:
        return False
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync > 1
