"""What experiments keep on disk, and whether a run may go on from it."""

from __future__ import annotations

from ..compatibility import is_compatible
from ..environment import environment
from ..files import read_json, to_plain, write_atomic, write_json

__all__ = [
    "environment",
    "is_compatible",
    "read_json",
    "to_plain",
    "write_atomic",
    "write_json",
]
