"""What people with a smartphone at the waist are doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ..sources import SOURCES, locate, open_content, verify

CLASSES = (
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
)


class Activity(tfds.core.GeneratorBasedBuilder):
    """561 features of accelerometer and gyroscope in [-1, 1], 21 people, 6 activities.

    The training part of "Human Activity Recognition Using Smartphones", one split,
    "train" (7,352); "subject" tells whose row it is. The paper used another set with
    the same features (4,252 and 1,492 rows), which is not this one.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = SOURCES["activity"].instructions

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(561,), dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=list(CLASSES)),
                    "subject": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            homepage=SOURCES["activity"].home,
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator]:
        folder = verify(dl_manager.manual_dir, "activity")
        with open_content(locate(folder, "features.txt")) as file:
            lines = file.read().decode("utf-8").splitlines()
        self.info.metadata["feature_names"] = _distinct(
            [line.partition(" ")[2] for line in lines]
        )
        return {"train": self._generate_examples(folder)}

    def _generate_examples(self, folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        x = np.loadtxt(locate(folder, "X_train.txt"), dtype=np.float32)
        labels = np.loadtxt(locate(folder, "y_train.txt"), dtype=int) - 1
        subjects = np.loadtxt(locate(folder, "subject_train.txt"), dtype=int)
        for index, row in enumerate(zip(x, labels, subjects, strict=True)):
            yield index, dict(zip(("features", "label", "subject"), row, strict=True))


def _distinct(names: list[str]) -> list[str]:
    """Tell features of one name apart by their column, counted from 1 as in the set."""
    counts = Counter(names)
    return [
        f"{name} [{column}]" if counts[name] > 1 else name
        for column, name in enumerate(names, start=1)
    ]
