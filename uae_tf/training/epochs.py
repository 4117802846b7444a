"""A Keras dataset whose epochs are numbered, so that a resumed run keeps its order."""

from __future__ import annotations

import threading

import keras

from .arrays import check_count


class EpochDataset(keras.utils.PyDataset):
    """Base: serves batches by order of arrival in epochs that can be named.

    Subclasses define `__len__`, :meth:`_batch` and :meth:`_shuffle`.

    Attributes:
        epoch: zero-based number of the current epoch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._ranks: dict[int, int] = {}
        self._is_within_epoch = False
        self._named_epoch: int | None = None
        self.epoch = 0
        self._epochs_served = 0

    def set_epoch(self, epoch: int) -> None:
        """Names the epoch that begins next, so that a resumed run keeps its order."""
        self._named_epoch = check_count("epoch", epoch, minimum=0)

    @property
    def is_epoch_pending(self) -> bool:
        """Whether the epoch named by `set_epoch` has not begun yet."""
        return self._named_epoch is not None

    def on_epoch_begin(self) -> None:
        """Starts the epoch named by `set_epoch`, else the next; called by `fit`."""
        if self._named_epoch is None:
            self.epoch = self._epochs_served
        else:
            self.epoch = self._named_epoch
        self._named_epoch = None
        self._epochs_served = self.epoch + 1
        self._is_within_epoch = True
        self._ranks = {}
        self._shuffle()

    def on_epoch_end(self) -> None:
        """Ends the epoch; called by `fit`."""
        self._is_within_epoch = False

    def __getitem__(self, index: int) -> tuple:
        if not 0 <= index < len(self):
            raise IndexError(
                f"Batch {index} does not exist: this dataset has {len(self)} batches."
            )
        if self._is_within_epoch:
            # `fit` shuffles the batch numbers with Python's global `random`, whose
            # state a resumed run does not have: serve by order of arrival instead.
            with self._lock:
                index = self._ranks.setdefault(index, len(self._ranks))
        return self._batch(index)

    def _batch(self, index: int) -> tuple:
        """The batch that is served as number `index` of the epoch."""
        raise NotImplementedError(f"{type(self).__name__} must override `_batch`.")

    def _shuffle(self) -> None:
        """Makes the order of the epoch `self.epoch`."""
        raise NotImplementedError(f"{type(self).__name__} must override `_shuffle`.")
