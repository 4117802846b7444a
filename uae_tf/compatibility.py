"""Whether an interrupted run may go on with the settings it is given now."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .files import to_plain


def is_compatible(
    saved: Mapping[str, Any], requested: Mapping[str, Any], ignore: Collection[str] = ()
) -> bool:
    """Check that a run with these settings may go on from those of a saved one.

    Both sides are compared as JSON would store them, so (8, 8) equals [8, 8] and
    `numpy.int64(3)` equals 3 and 3.0; `True` is not 1. NaN and infinity, which JSON
    does not have, equal themselves and the null they were stored as.

    Args:
        saved: settings read from results.json.
        requested: settings of the run that wants to resume.
        ignore: top-level names that may differ, e.g. the folder or the progress bar.

    Returns:
        True; a difference never passes unseen, it raises.

    Raises:
        ValueError: settings differ; the message shows both sides of every one.

    Example:
        >>> is_compatible({"seeds": (0, 1)}, {"seeds": [0, 1], "out": "b"}, ["out"])
        True
        >>> is_compatible({"epochs": 30}, {"epochs": 50})
        Traceback (most recent call last):
        ValueError: These settings differ from those of the saved run...
          epochs: saved 30, requested 50...
    """
    sides = [
        to_plain({k: v for k, v in side.items() if k not in ignore}, "settings", True)
        for side in (saved, requested)
    ]
    lines = list(_differences(*sides))
    if lines:
        raise ValueError(
            "These settings differ from those of the saved run:\n"
            + "\n".join(lines)
            + "\nRepeat the command with the saved settings, or choose another output "
            "folder for a new run."
        )
    return True


def _differences(
    saved: dict[str, Any], requested: dict[str, Any], prefix: str = ""
) -> Iterator[str]:
    """One line for every difference, under a dotted name where it is nested."""
    for key in dict.fromkeys([*saved, *requested]):
        if key in saved and key in requested:
            sides = saved[key], requested[key]
            if all(isinstance(side, dict) for side in sides):
                yield from _differences(*sides, f"{prefix}{key}.")
                continue
            if _same(*sides):
                continue
        shown = _shown(saved, key), _shown(requested, key)
        yield f"  {prefix}{key}: saved {shown[0]}, requested {shown[1]}"


def _same(saved: Any, requested: Any) -> bool:
    if isinstance(saved, dict) and isinstance(requested, dict):
        return not any(_differences(saved, requested))
    if isinstance(saved, list) and isinstance(requested, list):
        return len(saved) == len(requested) and all(map(_same, saved, requested))
    if isinstance(requested, float) and not math.isfinite(requested):
        return saved is None or repr(saved) == repr(requested)
    # In Python True equals 1.
    is_alike = isinstance(saved, bool) == isinstance(requested, bool)
    return is_alike and saved == requested


def _shown(side: Mapping[str, Any], name: str) -> str:
    return json.dumps(side[name]) if name in side else "nothing"
