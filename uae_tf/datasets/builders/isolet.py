"""Spoken letters of the alphabet."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..sources import SOURCES, locate, verify


class Isolet(tfds.core.GeneratorBasedBuilder):
    """150 people saying each letter twice, as 617 features in [-1, 1].

    Splits "train" (6,238, speakers 1 to 120) and "test" (1,559, the others).
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES["isolet"].instructions

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(617,), dtype=np.float32),
                    "label": tfds.features.ClassLabel(
                        names=list(string.ascii_uppercase)
                    ),
                }
            ),
            homepage=SOURCES["isolet"].home,
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator]:
        folder = verify(dl_manager.manual_dir, "isolet")
        return {
            "train": self._generate_examples(locate(folder, "isolet1+2+3+4.data")),
            "test": self._generate_examples(locate(folder, "isolet5.data")),
        }

    def _generate_examples(self, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, row in enumerate(np.loadtxt(path, delimiter=",")):
            label = int(row[-1]) - 1
            yield index, {"features": row[:-1].astype(np.float32), "label": label}
