"""The experiments that a recipe may name: their settings, and how they are run."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ..contrast import ContrastSettings, contrast
from ..reconstruction import reconstruct
from ..selection import select
from ..selection_settings import SelectionSettings
from ..semi_supervised import SemiSupervisedSettings, semi_supervised
from ..settings import ReconstructionSettings
from ..supervised import SupervisedSettings, supervised


@dataclasses.dataclass(frozen=True)
class Kind:
    """An experiment.

    Args:
        settings: class of its settings.
        function: runs it: ``function(settings, out, resume, console)``, and
            ``workers`` where it has them.
        has_workers: whether several processes may share its seeds.
    """

    settings: type
    function: Callable[..., dict[str, Any]]
    has_workers: bool = True

    def run(
        self, settings: Any, out: Path, console: Console, workers: int
    ) -> dict[str, Any]:
        """Runs it, or goes on with it; returns what its results.json holds."""
        own = {"workers": workers} if self.has_workers else {}
        return self.function(settings, out, True, console, **own)


#: By the name of the command.
KINDS: Mapping[str, Kind] = {
    "reconstruct": Kind(ReconstructionSettings, reconstruct),
    "select": Kind(SelectionSettings, select),
    "contrast": Kind(ContrastSettings, contrast),
    "supervised": Kind(SupervisedSettings, supervised, has_workers=False),
    "semisupervised": Kind(SemiSupervisedSettings, semi_supervised),
}


def make_settings(kind: str, values: Mapping[str, Any]) -> Any:
    """Builds an experiment's settings from plain values, as TOML gives them.

    Args:
        kind: a key of `KINDS`.
        values: field -> value; lists become tuples, whole numbers floats where the
            field wants them.

    Returns:
        The settings.

    Raises:
        ValueError: an unknown kind or field, or a value that the settings refuse.
    """
    if kind not in KINDS:
        raise ValueError(
            f"`experiment` must be one of: {', '.join(KINDS)}. Received: {kind!r}"
        )
    cls = KINDS[kind].settings
    fields = {field.name for field in dataclasses.fields(cls)}
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise ValueError(
            f"{kind} has no setting {unknown[0]!r}. It has: {', '.join(sorted(fields))}"
        )
    types = typing.get_type_hints(cls)
    return cls(**{name: _plain(name, v, types[name]) for name, v in values.items()})


def _plain(name: str, value: Any, type_: Any) -> Any:
    if typing.get_origin(type_) is tuple:
        kind = typing.get_args(type_)[0]
        kinds = (int, float) if kind is float else kind
        if not isinstance(value, (list, tuple)) or not all(
            isinstance(entry, kinds) for entry in value
        ):
            words = "numbers" if kind is float else "texts"
            raise ValueError(f"`{name}` must be a list of {words}. Received: {value!r}")
        return tuple(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_whole and type_ is float else value
