"""The contrastive loss on samples that were not trained on."""

from __future__ import annotations

import keras
import numpy as np

from ..datasets.pipelines import predict
from ..losses import NTXent
from ..models import SimCLR


def contrastive_loss(
    model: SimCLR, x: np.ndarray, batch_size: int = 256, seed: int = 0
) -> float:
    """Mean NT-Xent of two random views, in inference mode, by batches of one size.

    The loss grows with the number of negatives, so it is comparable only between equal
    ``batch_size`` and temperature; samples beyond the last whole batch are left out.

    Args:
        model: a SimCLR.
        x: ``(N, *shape)`` in [0, 1].
        batch_size: samples per batch, 2 ... N.
        seed: of the views, which are the same for every model.

    Returns:
        The mean over anchors, in nats; ``ln(2 batch_size - 1)`` where nothing is known.

    Raises:
        ValueError: a batch of less than 2 samples, or more than there are.
    """
    if not 2 <= batch_size <= len(x):
        raise ValueError(
            f"`batch_size` must lie in 2 ... {len(x)}, the samples: one alone has no "
            f"negatives. Received: batch_size={batch_size}"
        )
    seeds = keras.random.SeedGenerator(seed)
    loss = NTXent(model.temperature)
    losses = []
    for start in range(0, len(x) - batch_size + 1, batch_size):
        batch = x[start : start + batch_size]
        views = [
            model.augment.apply(batch, model.augment.draw(batch_size, seeds))
            for _ in range(2)
        ]
        first, second = (
            predict(model, keras.ops.convert_to_numpy(v), batch_size) for v in views
        )
        losses.append(float(loss(first, second)))
    return float(np.mean(losses))
