"""Objects on a turntable."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..sources import SOURCES, locate, open_content, verify

OBJECTS, VIEWS = 20, 72


class Coil20(tfds.core.GeneratorBasedBuilder):
    """20 objects seen from 72 sides each, grey images of 128 x 128 pixels.

    One split, "train" (1,440); "angle" is in degrees.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES["coil20"].instructions

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(128, 128, 1), encoding_format="png"
                    ),
                    "label": tfds.features.ClassLabel(
                        names=[f"obj{i + 1}" for i in range(OBJECTS)]
                    ),
                    "angle": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=SOURCES["coil20"].home,
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator]:
        folder = verify(dl_manager.manual_dir, "coil20")
        return {"train": self._generate_examples(locate(folder, "coil-20-proc.zip"))}

    def _generate_examples(self, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        with open_content(path) as file, zipfile.ZipFile(file) as archive:
            for index in range(OBJECTS * VIEWS):
                number, view = divmod(index, VIEWS)
                image = archive.read(f"coil-20-proc/obj{number + 1}__{view}.png")
                yield (
                    index,
                    {
                        "image": io.BytesIO(image),
                        "label": number,
                        "angle": view * 360 // VIEWS,
                    },
                )
