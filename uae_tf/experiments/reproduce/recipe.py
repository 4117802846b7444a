"""Recipes: which runs make a table at a scale, read from TOML and checked."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .kinds import make_settings

TABLES = (
    "reconstruction",
    "augmentation",
    "selection",
    "contrastive",
    "minmax-penalty",
    "quality",
    "semi-circles",
    "semi-images",
)
SCALES = ("quick", "standard", "full")
#: Where the recipes are that come with the library.
FOLDER = Path(__file__).parents[1] / "recipes"

#: What a value may be -> the words for it.
_TYPES: Mapping[Any, str] = {str: "text", dict: "a table", (int, float): "a number"}
#: Keys of a file and of its runs, in TOML's types; the last may be left out.
_RECIPE = {"title": str, "source": str, "about": str}
_RUN = {"name": str, "title": str, "experiment": str, "settings": dict}
_RUN_MAY = {"seconds": (int, float), "data": str}
#: Of a folder's name: neither above the recipe's folder nor hidden.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of an experiment.

    Args:
        name: of its folder.
        title: for people.
        experiment: the command that it is a run of, such as "reconstruct".
        settings: of the experiment, as the file has them.
        seconds: expected on two idle cores; None where nobody has said.
        data: what a reader must know of the data; empty for set and size.
    """

    name: str
    title: str
    experiment: str
    settings: dict[str, Any]
    seconds: float | None = None
    data: str = ""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The runs of one table at one scale.

    Args:
        table: one of `TABLES`.
        scale: one of `SCALES`.
        title: for people.
        source: where the table stands in print.
        about: how the runs differ from what is printed.
        runs: in the order they are made.
    """

    table: str
    scale: str
    title: str
    source: str
    about: str
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float | None:
        """Expected for all runs on two idle cores; None where one is unknown."""
        known = [run.seconds for run in self.runs]
        return None if None in known else float(sum(s for s in known if s is not None))


def load_recipe(table: str, scale: str, folder: Path | None = None) -> Recipe:
    """Reads a recipe and checks every setting in it, before any work is done.

    Args:
        table: one of `TABLES`.
        scale: one of `SCALES`.
        folder: with files TABLE-SCALE.toml; None for those of the library.

    Returns:
        The recipe.

    Raises:
        ValueError: an unknown table or scale, or a file with something in it that is
            unknown, missing or refused by the experiment; the message names file and
            run.
        FileNotFoundError: no such file.

    Example:
        >>> [run.name for run in load_recipe("semi-circles", "quick").runs]
        ['noise-0.01', 'noise-0.06']
    """
    for name, value, allowed in (("table", table, TABLES), ("scale", scale, SCALES)):
        if value not in allowed:
            raise ValueError(
                f"`{name}` must be one of: {', '.join(allowed)}. Received: {value!r}"
            )
    path = (folder or FOLDER) / f"{table}-{scale}.toml"
    if not path.exists():
        raise FileNotFoundError(
            f"There is no recipe {path.name} in {path.parent}. Copy one of "
            f"{FOLDER} there and edit it."
        )
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = found.pop("run", None)
        is_list = isinstance(entries, list) and entries
        if not is_list or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("'run' must be one table or more, each under [[run]]")
        _check("the file", found, _RECIPE)
        runs = tuple(_run(entry) for entry in entries)
        recipe = Recipe(table=table, scale=scale, runs=runs, **found)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    names = [run.name for run in recipe.runs]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: two runs have one name. Received: {names}")
    return recipe


def _run(entry: dict[str, Any]) -> Run:
    where = f"run {entry.get('name', '?')!r}"
    _check(where, entry, _RUN, _RUN_MAY)
    run = Run(**entry)
    if not _NAME.fullmatch(run.name):
        raise ValueError(
            f"{where}: 'name' must be that of a folder, of letters, digits, '.', '_' "
            "and '-', not beginning with '.'"
        )
    if run.seconds is not None and not 0.0 <= run.seconds < math.inf:
        raise ValueError(
            f"{where}: 'seconds' must be at least 0. Received: {run.seconds}"
        )
    try:
        make_settings(run.experiment, run.settings)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error
    return run


def _check(
    where: str,
    entry: Mapping[str, Any],
    needed: Mapping[str, Any],
    further: Mapping[str, Any] | None = None,
) -> None:
    """Refuses keys that are unknown or missing, and values of another type."""
    types = {**needed, **(further or {})}
    if unknown := set(entry) - set(types):
        raise ValueError(
            f"{where} has {', '.join(sorted(unknown))}, which is unknown. "
            f"Expected some of: {', '.join(sorted(types))}"
        )
    if missing := [key for key in needed if key not in entry]:
        raise ValueError(f"{where} has no {', '.join(map(repr, missing))}")
    for key, value in entry.items():
        # To Python, true is a number.
        if isinstance(value, bool) or not isinstance(value, types[key]):
            raise ValueError(
                f"{where}: {key!r} must be {_TYPES[types[key]]}. Received: {value!r}"
            )
