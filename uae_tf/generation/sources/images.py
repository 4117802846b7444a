"""A folder of image files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..errors import GenerationError
from .source import Rows, Source, check_count, hash_files

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


class ImageFolderSource(Source):
    """All images below a folder, in the order of their names; all of one size.

    Args:
        folder: searched with its sub-folders for .png, .jpg, .jpeg and .bmp.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)
        self.paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
        )
        self.count = check_count(self.name, len(self.paths))
        self._shape: tuple[int, ...] | None = None

    def read(self, start: int, stop: int) -> Rows:
        return np.stack([self._decode(path) for path in self.paths[start:stop]]), None

    def fingerprint(self) -> str:
        names = [path.relative_to(self.folder).as_posix() for path in self.paths]
        digest = hashlib.sha256("\n".join(names).encode())
        digest.update(hash_files(self.paths).encode())
        return digest.hexdigest()

    def _decode(self, path: Path) -> np.ndarray:
        try:
            image = tf.io.decode_image(path.read_bytes(), expand_animations=False)
        except tf.errors.OpError as error:
            raise GenerationError(f"{path} is no image ({error.message}).") from error
        self._shape = self._shape or tuple(image.shape)
        if tuple(image.shape) != self._shape:
            raise GenerationError(
                f"All images of {self.name!r} must have one shape. Expected "
                f"{self._shape}. Received: {path.name} of shape {tuple(image.shape)}"
            )
        return image.numpy()
