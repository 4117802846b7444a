"""Callbacks that `fit` adds by itself: repeatable epochs, and a stop at NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .compiled_once import training_state
from .epochs import EpochDataset
from .seeds import align_seed_generators


class EpochStart(keras.callbacks.Callback):
    """Makes epoch N the same, whether the run was resumed before it or not.

    N counts on from one `fit` of a model to the next, which Keras's number does not.

    Args:
        data: what one `fit` draws from; its epochs are named if it can.
        trained: of the model, to be saved with it: epochs it was trained for.
    """

    def __init__(self, data: Any, trained: keras.Variable) -> None:
        super().__init__()
        self.data = data
        self.trained = trained
        self._offset: int | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets seeds and order by the epoch's number."""
        if self._offset is None:
            # Not before: BackupAndRestore has put the count back by now. Without a
            # count, Keras's number is all there is.
            trained = int(self.trained.numpy())
            self._offset = trained - epoch if trained else 0
        number = epoch + self._offset
        if isinstance(self.data, EpochDataset):
            self.data.set_epoch(number)
        align_seed_generators(self.model, number)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the epoch, before another callback saves the model."""
        self.trained.assign(epoch + 1 + (self._offset or 0))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves the model ready for a later `fit`."""
        # BackupAndRestore leaves it set, and a later `fit` would then skip epochs.
        self.model._initial_epoch = None


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the training where a term of the loss is no finite number any more.

    Args:
        terms: names among the logs, in the order they are to be blamed.

    Raises:
        FloatingPointError: at the end of the batch it happened in; weights and the
            state of all optimizers are put back to those of the last epoch that ended
            well.

    Cost: a copy of weights and optimizers per epoch.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        super().__init__()
        self.terms = terms
        self._kept: list[np.ndarray] = []
        self._kept_epoch = 0
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps weights and optimizers, if they are finite."""
        self._epoch = epoch
        values = [variable.numpy() for variable in training_state(self.model)]
        # The last update of an epoch may have broken them: no loss has told of it yet.
        if not self._kept or all(np.isfinite(array).all() for array in values):
            self._kept, self._kept_epoch = values, epoch

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Looks at the terms of the loss."""
        broken = [n for n in self.terms if not math.isfinite((logs or {}).get(n, 0.0))]
        if not broken:
            return
        for variable, value in zip(training_state(self.model), self._kept, strict=True):
            variable.assign(value)
        kept = self._kept_epoch
        before = f"the end of epoch {kept}" if kept else "the start"
        raise FloatingPointError(
            f"The term {broken[0]!r} of the loss is not finite in epoch "
            f"{self._epoch + 1}, batch {batch + 1}. Training stopped, and the weights "
            f"are those of {before}. A smaller learning rate, or a smaller epsilon or "
            "weight of the unlabelled terms, may help; look at the data's range too."
        )
