"""Where the samples of a long run come from."""

from .array import ArraySource, NpySource
from .opening import address, as_source, open_source
from .source import Source

__all__ = ["ArraySource", "NpySource", "Source", "address", "as_source", "open_source"]
