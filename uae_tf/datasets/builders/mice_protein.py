"""Proteins in the cortex of mice."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..sources import SOURCES, locate, open_content, verify

PROTEINS = 77
# Genotype, treatment and behaviour are one bit each (SPEC 3.13).
_BITS = (("Genotype", "Control"), ("Treatment", "Memantine"), ("Behavior", "C/S"))
CLASSES = tuple(
    f"{'tc'[code & 1]}-{('SC', 'CS')[code >> 2]}-{'sm'[code >> 1 & 1]}"
    for code in range(8)
)


class MiceProtein(tfds.core.GeneratorBasedBuilder):
    """Expression levels of 77 proteins in 72 mice, 15 measurements each, 8 classes.

    One split, "train" (1,080). 1,396 values are missing: NaN. "mouse" tells whose
    measurement a row is.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES["mice_protein"].instructions

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(
                        shape=(PROTEINS,), dtype=np.float64
                    ),
                    "label": tfds.features.ClassLabel(names=list(CLASSES)),
                    "mouse": tfds.features.Text(),
                }
            ),
            homepage=SOURCES["mice_protein"].home,
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator]:
        folder = verify(dl_manager.manual_dir, "mice_protein")
        rows = _rows(locate(folder, "Data_Cortex_Nuclear.csv"))
        names = list(rows[0])[1 : PROTEINS + 1]
        self.info.metadata["feature_names"] = [n.removesuffix("_N") for n in names]
        return {"train": self._generate_examples(rows)}

    def _generate_examples(
        self, rows: list[dict[str, str]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, row in enumerate(rows):
            values = list(row.values())[1 : PROTEINS + 1]
            bits = [row[column] == value for column, value in _BITS]
            yield (
                index,
                {
                    "features": np.array([float(v or "nan") for v in values]),
                    "label": sum(bit << place for place, bit in enumerate(bits)),
                    "mouse": row["MouseID"].partition("_")[0],
                },
            )


def _rows(path: Path) -> list[dict[str, str]]:
    with io.TextIOWrapper(open_content(path), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
