"""TensorBoard summaries of the phases: scalars, and samples beside their examples."""

import math
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from .augmented_dataset import AugmentedDataset
from .phases import LOGGED, PhaseRecord


class PhaseSummaries:
    """Writes each phase under `log_dir/uae`, at the number of epochs trained.

    Args:
        log_dir: where TensorBoard looks; None writes nothing.
        num_images: samples in the picture, default 8.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] | None, num_images: int = 8
    ) -> None:
        self.log_dir = None if log_dir is None else Path(log_dir) / "uae"
        self.num_images = num_images
        self._writer: tf.summary.SummaryWriter | None = None

    def write(self, record: PhaseRecord, data: AugmentedDataset) -> None:
        """Adds the numbers of a phase, and a picture where samples are images."""
        if self.log_dir is None:
            return
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))
        with self._writer.as_default(step=record.epoch):
            for name in LOGGED:
                value = tf.constant(getattr(record, name), tf.float32)
                _write_summary(f"uae/{name}", value, "scalars", "DATA_CLASS_SCALAR")
            # The copy that a phase fills where it fills one alone.
            copy = (record.phase - 1) % data.copies
            grid = example_grid(data, self.num_images, copy)
            if grid is not None:
                _write_picture("uae/sample, example, difference", grid)
        self._writer.flush()

    def close(self) -> None:
        """Ends the file; a later `write` begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _write_picture(tag: str, picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    png = tf.io.encode_png(np.round(picture * 255).astype("uint8"))
    content = tf.stack([str(width).encode(), str(height).encode(), png])
    _write_summary(tag, content, "images", "DATA_CLASS_BLOB_SEQUENCE")


def _write_summary(tag: str, tensor: tf.Tensor, plugin: str, data_class: str) -> None:
    # `tf.summary.scalar` and `image` live in the tensorboard package, which TensorFlow
    # no longer installs; the file format itself is TensorFlow's.
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = plugin
    tf.summary.write(tag, tensor, metadata=metadata)


def example_grid(
    data: AugmentedDataset, num_images: int, copy: int = 0
) -> np.ndarray | None:
    """Draws samples, their examples of one copy and the differences in three rows.

    Samples with an active example come first. Values are scaled to [0, 1] by the range
    of the samples; a difference of zero is mid-grey.

    Returns:
        `(3 * height, columns * width, channels)` float32 in [0, 1], or None where the
        samples are no images: neither `(height, width)`, `(height, width, 1 or 3)`,
        nor vectors whose length is a square number.
    """
    rows = np.argsort(~data.active[copy], kind="stable")[:num_images]
    images = _as_images(data.x[rows])
    examples = _as_images(data.examples[copy][rows])
    if images is None or examples is None:
        return None
    low, high = float(images.min()), float(images.max())
    span = (high - low) or 1.0
    bands = [
        (images - low) / span,
        (examples - low) / span,
        0.5 + (examples - images) / (2 * span),
    ]
    grid = np.concatenate([np.concatenate(list(b), axis=1) for b in bands], axis=0)
    return np.clip(grid, 0, 1).astype("float32")


def _as_images(x: np.ndarray) -> np.ndarray | None:
    shape = x.shape[1:]
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        side = math.isqrt(shape[0])
        return x.reshape(len(x), side, side, 1)
    if len(shape) == 2:
        return x[..., None]
    if len(shape) == 3 and shape[-1] in (1, 3):
        return x
    return None
