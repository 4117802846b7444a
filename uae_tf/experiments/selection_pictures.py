"""What the figures of the feature selection experiment are drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pictures import Pictures
from .report import selected_pixels
from .selection_run import SelectionRun


class SelectionPictures(Pictures):
    """The figures of every experiment, and the selected pixels on the mean image."""

    def collect(self, run: SelectionRun, arm: str) -> None:
        # A training that diverged selected nothing.
        if run.x.ndim == 4 and run.selected[arm]:
            self.arrays["mean_image"] = run.x.mean(axis=0)
            self.arrays[f"selected/{arm}"] = np.array(run.selected[arm])
        super().collect(run, arm)

    def figures(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found = super().figures(rows)
        chosen = self._group("selected/", rows)
        if chosen:
            found["selection"] = selected_pixels(self.arrays["mean_image"], chosen)
        return found
