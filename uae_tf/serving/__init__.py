"""Export to a TF-Serving model repository, and a server to try it out with."""

from .export import export
from .prediction_server import PredictionServer
from .signatures import Signatures

__all__ = ["PredictionServer", "Signatures", "export"]
