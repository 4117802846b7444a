"""Semi-supervised learning: VAT and generated adversarial examples, compared."""

from .circles import semi_supervised_circles
from .experiment import semi_supervised
from .settings import SemiSupervisedSettings

__all__ = ["SemiSupervisedSettings", "semi_supervised", "semi_supervised_circles"]
