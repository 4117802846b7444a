"""What the figures of the contrastive experiment are drawn from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from ..pictures import Pictures
from ..report import errors_by_arm, finite_errors
from ..report.contrast import (
    embeddings,
    examples,
    learning_curves,
    retrieval,
    robustness,
)
from ..summary import CANDIDATE
from .run import ContrastRun

#: Arms whose encoders are looked at, of those that were run.
SHOWN = ("untrained", "original", CANDIDATE)
_POINTS, _QUERIES, _NEIGHBOURS = 800, 8, 5
_CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


class ContrastPictures(Pictures):
    """Embeddings, neighbours, curves and examples of the first seed."""

    # Each goes through a ResNet, in several views.
    traced = 64

    def collect(self, run: ContrastRun, arm: str) -> None:
        if arm in SHOWN and run.features is not None:
            self._collect_features(run, arm)
        super().collect(run, arm)

    def _own_figures(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        trained = [row for row in rows if row["updates"]]
        if len(trained) > 1 and finite_errors(trained):
            found["errors"] = errors_by_arm(trained, label="linear probe error (%)")
        if losses := _curves(trained, "loss_curve"):
            found["learning_curves"] = learning_curves(
                losses, _curves(trained, "knn_curve")
            )
        if attacked := _curves(rows, "robustness_curve"):
            found["robustness"] = robustness(attacked)
        points = self._group("embedding/", rows)
        if points:
            labels = self.arrays["labels"]
            found["embeddings"] = embeddings(points, labels, self._class_names(labels))
            found["retrieval"] = retrieval(
                self.arrays["queries"],
                self._group("neighbours/", rows),
                self._group("same/", rows),
            )
        if self._has_gallery(rows):
            names = ("x", "examples", "success")
            found["examples"] = examples(*(self.arrays[f"gallery/{n}"] for n in names))
        return found

    def _collect_features(self, run: ContrastRun, arm: str) -> None:
        assert run.features is not None
        train, test = (
            f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)
            for f in run.features
        )
        data, points = run.bench.data, min(_POINTS, len(test))
        # At most a third of the points may be called neighbours.
        perplexity = min(30.0, points / 3.0 - 1.0)
        tsne = TSNE(
            metric="cosine", init="random", perplexity=perplexity, random_state=0
        )
        # On a busy machine its threads wait for one another longer than they work.
        with threadpool_limits(1):
            plane = tsne.fit_transform(test[:points])
        labels, queries = data.y_test[:points], _one_of_each(data.y_test, _QUERIES)
        nearest = np.argsort(-test[queries] @ train.T, axis=1)[:, :_NEIGHBOURS]
        self.arrays |= {
            f"embedding/{arm}": plane,
            "labels": labels,
            "is_cifar": np.array(data.name == "cifar10"),
            "queries": data.x_test[queries],
            f"neighbours/{arm}": data.x_train[nearest],
            f"same/{arm}": data.y_train[nearest] == data.y_test[queries][:, None],
        }

    def _outputs(
        self, model: keras.Model, x: np.ndarray, examples: np.ndarray
    ) -> dict[str, np.ndarray]:
        # A projection is no picture.
        return {}

    def _class_names(self, labels: np.ndarray) -> list[str]:
        if bool(self.arrays["is_cifar"]):
            return list(_CIFAR_CLASSES)
        return [str(number) for number in range(int(labels.max()) + 1)]


def _curves(rows: list[dict[str, Any]], name: str) -> dict[str, list[Any]]:
    """Arm -> one curve per seed that has it; arms without are left out."""
    found = {
        row["arm"]: [curves[name] for curves in row["curves"] if name in curves]
        for row in rows
    }
    return {arm: curves for arm, curves in found.items() if curves}


def _one_of_each(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of samples of different classes, as far as there are so many."""
    firsts = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    return np.array(sorted(firsts)[:count])
