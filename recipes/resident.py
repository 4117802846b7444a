"""CIFAR-10 in one small file, and as a table that lives on the accelerator.

A packed file holds JPEG bytes as tensorflow-datasets has them, 17 MiB where the pixels
take 176; it is read with Pillow alone. The table is decoded once and stays in the
accelerator's memory: what `fit` sends each step is indices.
"""

from __future__ import annotations

import io
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops
from PIL import Image

SPLITS = ("train", "test")


def pack(data_dir: str, path: str) -> None:
    """Write CIFAR-10's JPEG bytes and labels, in the order of the stock build."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("cifar10", data_dir=data_dir)
    arrays = {}
    for split in SPLITS:
        encoded = builder.as_dataset(
            split=split, decoders={"image": tfds.decode.SkipDecoding()}
        )
        examples = [
            (bytes(example["image"]), example["label"])
            for example in encoded.as_numpy_iterator()
        ]
        images, labels = zip(*examples, strict=True)
        arrays[f"{split}_bytes"] = np.frombuffer(b"".join(images), np.uint8)
        arrays[f"{split}_ends"] = np.cumsum([len(image) for image in images])
        arrays[f"{split}_labels"] = np.array(labels, np.uint8)
    np.savez_compressed(path, **arrays)
    print(f"{path}: {os.path.getsize(path) / 2**20:.1f} MiB")


def unpack(
    path: str, samples: int | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read a packed file: split -> images (N, 32, 32, 3) uint8 and labels (N,) int32.

    Args:
        path: What `pack` wrote.
        samples: Only the first of each split; all by default.
    """
    splits = {}
    with np.load(path) as file:
        for split in SPLITS:
            data, ends = file[f"{split}_bytes"].tobytes(), file[f"{split}_ends"]
            ends = [0, *ends[:samples].tolist()]
            jpegs = [data[a:b] for a, b in itertools.pairwise(ends)]
            with ThreadPoolExecutor() as pool:
                images = np.stack(list(pool.map(_decoded, jpegs)))
            labels = file[f"{split}_labels"][:samples].astype(np.int32)
            splits[split] = images, labels
    return splits


def _decoded(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"))


class ImageTable(keras.layers.Layer):
    """Turn indices (batch,) into images (batch, H, W, C) in [0, 1] of a fixed table."""

    def __init__(self, images: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.images = self.add_weight(
            shape=images.shape, dtype="uint8", trainable=False, initializer="zeros"
        )
        self.images.assign(images)
        self.built = True

    def call(self, indices: Any) -> Any:
        pixels = ops.take(self.images, ops.cast(indices, "int32"), axis=0)
        return ops.cast(pixels, "float32") / 255.0


class TableViews(keras.layers.Layer):
    """Look indices up in a table and augment what is found."""

    def __init__(
        self, table: ImageTable, augment: keras.layers.Layer, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.table, self.augment = table, augment
        self.built = True

    def call(self, indices: Any, training: bool = False) -> Any:
        return self.augment(self.table(indices), training=training)


class ShuffledIndices(keras.utils.PyDataset):
    """Batches of indices in a new order each epoch; what is left over is dropped.

    Args:
        samples: Indices 0 ... samples - 1.
        batch_size: Indices per batch.
        seed: Of the orders.
        epoch: The epoch that comes first; its order depends on it and `seed` alone.
        labels: (samples,) targets to go with them, or none.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        seed: int,
        epoch: int = 0,
        labels: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.samples, self.batch_size, self.labels = samples, batch_size, labels
        self.seed, self.epoch = seed, epoch
        self._shuffle()

    def __len__(self) -> int:
        return self.samples // self.batch_size

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        start = number * self.batch_size
        batch = self.order[start : start + self.batch_size]
        return (batch,) if self.labels is None else (batch, self.labels[batch])

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self.seed, self.epoch))
        self.order = rng.permutation(self.samples).astype(np.int32)
