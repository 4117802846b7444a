"""Whether an interrupted run may go on with the settings it is given now."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from .files import to_plain


def is_compatible(
    saved: Mapping[str, Any], requested: Mapping[str, Any], ignore: Collection[str] = ()
) -> bool:
    """Check that a run with these settings may go on from those of a saved one.

    Both sides are compared as JSON would store them, so (8, 8) equals [8, 8] and
    `numpy.int64(3)` equals 3.

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
        _flat({k: v for k, v in to_plain(side, "settings").items() if k not in ignore})
        for side in (saved, requested)
    ]
    lines = [
        f"  {name}: saved {_shown(sides[0], name)}, requested {_shown(sides[1], name)}"
        for name in dict.fromkeys([*sides[0], *sides[1]])
        if _shown(sides[0], name) != _shown(sides[1], name)
    ]
    if lines:
        raise ValueError(
            "These settings differ from those of the saved run:\n"
            + "\n".join(lines)
            + "\nRepeat the command with the saved settings, or choose another output "
            "folder for a new run."
        )
    return True


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one level with dotted names."""
    if not isinstance(value, dict) or not value:
        return {prefix: value} if prefix else {}
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        flat |= _flat(entry, f"{prefix}.{key}" if prefix else key)
    return flat


def _shown(side: Mapping[str, Any], name: str) -> str:
    return json.dumps(side[name]) if name in side else "nothing"
