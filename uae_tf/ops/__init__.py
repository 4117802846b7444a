"""Pure tensor maths: projections, reductions, per-sample randomness, layout."""

from .layout import samples_first, samples_last
from .padding import pad_to
from .projections import project_box_and_ball, project_l2_ball
from .randomness import (
    fold_in,
    per_sample_normal,
    per_sample_seeds,
    per_sample_uniform,
)
from .reductions import (
    all_finite,
    cosine,
    expand_like,
    flatten_samples,
    l2_norm,
    linf_norm,
    log_mean_exp,
    squared_norm,
    unit_l2,
)

__all__ = [
    "all_finite",
    "cosine",
    "expand_like",
    "flatten_samples",
    "fold_in",
    "l2_norm",
    "linf_norm",
    "log_mean_exp",
    "pad_to",
    "per_sample_normal",
    "per_sample_seeds",
    "per_sample_uniform",
    "project_box_and_ball",
    "project_l2_ball",
    "samples_first",
    "samples_last",
    "squared_norm",
    "unit_l2",
]
