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
