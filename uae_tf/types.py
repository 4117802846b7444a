"""Names for the tensors that travel through the library."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

#: ``(batch, *shape)`` float32: samples or perturbed samples.
Samples: TypeAlias = tf.Tensor
#: ``(batch,)`` float32: one number per sample.
PerSample: TypeAlias = tf.Tensor
#: ``(batch, 2)`` int32: one stateless seed per sample.
Seeds: TypeAlias = tf.Tensor
#: A structure of tensors with a leading batch axis, carried through a loop.
State: TypeAlias = Any
#: Trace of an attack: name -> ``(iterations, N)``.
Trace: TypeAlias = Mapping[str, np.ndarray]
