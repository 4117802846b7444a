"""Callbacks that `fit` adds by itself: repeatable epochs, and a stop at NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .epochs import EpochDataset
from .seeds import align_seed_generators


class EpochStart(keras.callbacks.Callback):
    """Makes epoch N the same, whether the run was resumed before it or not.

    Args:
        data: what `fit` draws from; its epochs are named if it can.
    """

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets seeds and order by the epoch's number."""
        if isinstance(self.data, EpochDataset):
            self.data.set_epoch(epoch)
        align_seed_generators(self.model, epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the model ready for a later `fit`."""
        # BackupAndRestore leaves it set, and a later `fit` would then skip epochs.
        self.model._initial_epoch = None


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the training where a term of the loss is no finite number any more.

    Args:
        terms: names among the logs, in the order they are to be blamed.

    Raises:
        FloatingPointError: at the end of the batch it happened in; weights are put
            back to those of the last epoch that ended well.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        super().__init__()
        self.terms = terms
        self._weights: list[np.ndarray] = []
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the weights: whatever was before this epoch was finite."""
        self._epoch = epoch
        self._weights = self.model.get_weights()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Looks at the terms of the loss."""
        broken = [n for n in self.terms if not math.isfinite((logs or {}).get(n, 0.0))]
        if not broken:
            return
        self.model.set_weights(self._weights)
        before = f"the end of epoch {self._epoch}" if self._epoch else "the start"
        raise FloatingPointError(
            f"The term {broken[0]!r} of the loss is not finite in epoch "
            f"{self._epoch + 1}, batch {batch + 1}. Training stopped, and the weights "
            f"are those of {before}. A smaller learning rate, or a smaller epsilon or "
            "weight of the unlabelled terms, may help; look at the data's range too."
        )
