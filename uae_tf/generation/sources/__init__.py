"""Where the samples of a long run come from."""

from .array import ArraySource, NpySource
from .opening import open_source
from .source import Source

__all__ = ["ArraySource", "NpySource", "Source", "open_source"]
