"""Per-sample mutual information between x and x + delta."""

from .gaussian import GaussianMI, gaussian_mutual_information
from .l2 import L2Similarity
from .layers import first_convolution, observe, observed_call
from .mine import MINE
from .similarity import Similarity

__all__ = [
    "MINE",
    "GaussianMI",
    "L2Similarity",
    "Similarity",
    "first_convolution",
    "gaussian_mutual_information",
    "observe",
    "observed_call",
]
