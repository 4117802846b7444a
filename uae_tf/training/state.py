"""The files a `UAECallback` keeps so that a killed run can be resumed."""

import glob
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..files import atomic_file
from .augmented_dataset import AugmentedDataset
from .phases import PhaseRecord

_FORMAT = 1
#: Slot files kept: a backup may be one generation older than our last one.
_KEPT_SLOT_FILES = 2


@dataclass
class TrainingState:
    """Where a run stands.

    Attributes:
        offset: epochs trained before the current `fit` counted its epoch 0.
        records: one for each regeneration so far.
        monitored: epochs trained -> the monitored metric after them.
    """

    offset: int = 0
    records: list[PhaseRecord] = field(default_factory=list)
    monitored: dict[int, float] = field(default_factory=dict)

    @property
    def last_epoch(self) -> int | None:
        """Epochs trained when examples were last made; None for never."""
        return self.records[-1].epoch if self.records else None

    def forget_after(self, epoch: int) -> None:
        """Drops what happened after `epoch` epochs of training."""
        self.records = [r for r in self.records if r.epoch <= epoch]
        self.monitored = {n: v for n, v in self.monitored.items() if n <= epoch}


class StateStore:
    """Writes and reads a `TrainingState` with the slots that belong to it.

    A JSON file at `path` holds the state, `.npz` files beside it the slots. Each is
    written under another name, flushed to the disk and renamed, slots first: whenever
    the process dies, `path` names files that are whole.

    Args:
        path: of the JSON file; None keeps nothing.
        settings: what must be equal for a run to be resumed, as a nested dict.

    Raises:
        ValueError: `path` lies in a directory of `BackupAndRestore`, which deletes that
            directory when training ends; or the state was written with other settings,
            or by a run that is ahead of the one to resume.
    """

    def __init__(self, path: str | os.PathLike[str] | None, settings: dict) -> None:
        self.path = None if path is None else Path(path)
        self.settings = json.loads(json.dumps(settings, default=str))
        self.check_place()

    def check_place(self) -> None:
        """Refuses a path that `BackupAndRestore` would delete."""
        for parent in self.path.absolute().parents if self.path else ():
            if (parent / "training_metadata.json").exists():
                raise ValueError(
                    f"`state_path` must lie outside the directory of BackupAndRestore, "
                    f"which is deleted when training ends. Received {str(self.path)!r} "
                    f"inside {str(parent)!r}. Put it beside that directory."
                )

    def save(
        self, state: TrainingState, data: AugmentedDataset, has_new_slots: bool = False
    ) -> None:
        """Writes the state, and the slots if they are new."""
        if self.path is None:
            return
        self.check_place()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if has_new_slots:
            slots = self._slots_path(state.records[-1].epoch)
            _write(slots, lambda file: _write_slots(file, data))
        content = {"format": _FORMAT, "settings": self.settings, **asdict(state)}
        text = json.dumps(content, indent=1)
        _write(self.path, lambda file: file.write(text.encode()))
        self._remove_slots_except(state)

    def start_afresh(self, state: TrainingState, data: AugmentedDataset) -> None:
        """Replaces what an earlier run left behind."""
        if self.path is None:
            return
        self.check_place()
        self.path.unlink(missing_ok=True)
        self._remove_slots_except(TrainingState())
        self.save(state, data)

    def load(self, epoch: int, data: AugmentedDataset) -> TrainingState | None:
        """Reads the state of a run that has finished `epoch` epochs of its `fit`.

        The slots of `data` are set to what they held then.

        Returns:
            The state, or None where there is no file.
        """
        if self.path is None or not self.path.exists():
            return None
        content = json.loads(self.path.read_text())
        self._check_settings(content)
        state = TrainingState(
            offset=content["offset"],
            records=[PhaseRecord(**record) for record in content["records"]],
            monitored={int(n): v for n, v in content["monitored"].items()},
        )
        state.forget_after(epoch + state.offset)
        if state.last_epoch is not None:
            self._load_slots(state.last_epoch, epoch, data)
        return state

    def _check_settings(self, content: dict[str, Any]) -> None:
        if content.get("format") != _FORMAT:
            raise ValueError(
                f"`state_path` must name a state file of format {_FORMAT}. Received "
                f"{str(self.path)!r} of format {content.get('format')!r}. Delete it to "
                "start afresh."
            )
        stored = content["settings"]
        names = sorted({*stored, *self.settings})
        other = [n for n in names if stored.get(n) != self.settings.get(n)]
        if other:
            lines = [
                f"  {name}: {stored.get(name)!r} in the file, "
                f"{self.settings.get(name)!r} now"
                for name in other
            ]
            raise ValueError(
                f"The state in {str(self.path)!r} was written with other settings:\n"
                + "\n".join(lines)
                + "\nUse the same settings to resume, or delete the file."
            )

    def _load_slots(self, last: int, epoch: int, data: AugmentedDataset) -> None:
        path = self._slots_path(last)
        if not path.exists():
            raise ValueError(
                f"The state in {str(self.path)!r} cannot be resumed at epoch {epoch}: "
                f"the examples of that time, {path.name!r}, are gone. Resume from a "
                "later backup, or delete the state file to make new examples."
            )
        with np.load(path, allow_pickle=False) as file:
            for copy in range(data.copies):
                data.set_examples(
                    file["examples"][copy], copy=copy, active=file["active"][copy]
                )

    def _slots_path(self, epoch: int) -> Path:
        assert self.path is not None
        return self.path.with_name(f"{self.path.stem}.slots-{epoch:06d}.npz")

    def _remove_slots_except(self, state: TrainingState) -> None:
        assert self.path is not None
        kept = {
            self._slots_path(record.epoch).name
            for record in state.records[-_KEPT_SLOT_FILES:]
        }
        stem = glob.escape(self.path.stem)
        for path in self.path.parent.glob(f"{stem}.slots-*.npz"):
            if path.name not in kept:
                path.unlink()


def fingerprint(data: AugmentedDataset) -> dict[str, Any]:
    """What identifies a dataset, without its example slots."""
    return {
        "shape": list(data.x.shape),
        "crc32": zlib.crc32(data.x),
        "y_crc32": _checksum(data.y),
        "sample_weight_crc32": _checksum(data.sample_weight),
        "copies": data.copies,
        "batch_size": data.batch_size,
        "target": data.target,
        "shuffle": data.shuffle,
        "seed": data.seed,
        "samples_per_epoch": data.samples_per_epoch,
    }


def _checksum(array: np.ndarray | None) -> int | None:
    # As bytes: not every dtype of labels is a buffer that zlib takes.
    return None if array is None else zlib.crc32(array.view(np.uint8))


def _write_slots(file: IO[bytes], data: AugmentedDataset) -> None:
    np.savez(file, examples=data.examples, active=data.active)


def _write(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        write(file)
