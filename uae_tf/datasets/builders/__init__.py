"""Builders of tensorflow-datasets for the sets it does not have.

Importing this package registers them, so that `tfds.load("isolet", ...)` works too. It
also imports tensorflow-datasets, which takes seconds: `import uae_tf` leaves it out.
"""

from __future__ import annotations

import tensorflow_datasets as tfds

from .activity import Activity
from .coil20 import Coil20
from .isolet import Isolet
from .mice_protein import MiceProtein

BUILDERS: dict[str, type[tfds.core.GeneratorBasedBuilder]] = {
    "isolet": Isolet,
    "coil20": Coil20,
    "mice_protein": MiceProtein,
    "activity": Activity,
}

__all__ = ["BUILDERS", "Activity", "Coil20", "Isolet", "MiceProtein"]
