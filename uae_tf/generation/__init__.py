"""Long runs: any number of samples, in shards that survive whatever happens."""

from .errors import GenerationError
from .loading import load
from .run import generate
from .sources import Source, open_source
from .status import Status, status
from .tfrecord import record_features
from .verify import Verification, verify

__all__ = [
    "GenerationError",
    "Source",
    "Status",
    "Verification",
    "generate",
    "load",
    "open_source",
    "record_features",
    "status",
    "verify",
]
