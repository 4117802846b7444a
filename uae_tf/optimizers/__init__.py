"""Optimizers and schedules that Keras does not bring; any Keras backend."""

from .lars import LARS
from .schedules import LinearDecay, simclr_schedule

__all__ = ["LARS", "LinearDecay", "simclr_schedule"]
