"""Features of images, for distances between sets of them."""

from __future__ import annotations

import keras
import numpy as np

from ..datasets.pipelines import predict
from .distributions import KernelDistance, frechet_distance, kernel_distance


class FeatureExtractor:
    """A network's inner layer as a space to compare sets of images in.

    A distance is a number of the extractor as much as of the images: its name goes
    wherever the number goes. Do not extract by the network that was attacked: the
    attack moved just its features.

    Args:
        model: a built classifier, Functional or Sequential.
        name: of the extractor, part of every distance's name.
        layer: name of the layer; None for the input of the last one, which for a
            classifier of dense head is its last hidden layer.
        batch_size: images per forward pass.

    Raises:
        ValueError: the model is not built from layers that can be cut, or has no such
            layer.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
        >>> FeatureExtractor(model, "toy")(np.ones((5, 4), "float32")).shape
        (5, 3)
    """

    def __init__(
        self,
        model: keras.Model,
        name: str,
        layer: str | None = None,
        batch_size: int = 500,
    ) -> None:
        try:
            output = (
                model.layers[-1].input
                if layer is None
                else model.get_layer(layer).output
            )
            self.model = keras.Model(model.inputs, output)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ValueError(
                "`model` must be a built Functional or Sequential model that has the "
                f"layer asked for. Received: model={model.name!r}, layer={layer!r} "
                f"({error})"
            ) from error
        self.name = name
        self.batch_size = batch_size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features ``(N, d)`` float64 of images ``(N, *shape)``."""
        found = predict(self.model, x, self.batch_size)
        return found.reshape(len(x), -1).astype(np.float64)

    def distances(
        self, features: np.ndarray, reference: np.ndarray, seed: int = 0
    ) -> dict[str, float]:
        """Both distances between two sets of features of this extractor.

        Args:
            features: ``(N, d)``, from a call.
            reference: ``(M, d)``, from a call.
            seed: of the subsets of the kernel distance.

        Returns:
            ``frechet_NAME`` and ``kernel_NAME``, NAME being the extractor's.
        """
        kernel: KernelDistance = kernel_distance(features, reference, seed=seed)
        return {
            f"frechet_{self.name}": frechet_distance(features, reference),
            f"kernel_{self.name}": kernel.mean,
        }
