"""What it means that an attack succeeded: f(x + delta) <= 0."""

from .contrastive import Contrastive
from .criterion import Criterion
from .divergence import Divergence
from .margin import TargetedMargin, UntargetedMargin
from .reconstruction import Reconstruction

__all__ = [
    "Contrastive",
    "Criterion",
    "Divergence",
    "Reconstruction",
    "TargetedMargin",
    "UntargetedMargin",
]
