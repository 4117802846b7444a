"""Unsupervised feature selection that needs no network: what a user would try first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import kneighbors_graph

#: Rows the Laplacian score looks at: its graph grows with their square.
LAPLACIAN_ROWS = 2000

#: (x (N, d), k, seed) -> (k,) positions
Baseline = Callable[[np.ndarray, int, int], np.ndarray]


def random_features(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Any k features: what every method has to beat."""
    return np.random.default_rng(seed).choice(x.shape[1], k, replace=False)


def variance_ranking(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The k features of largest variance."""
    del seed
    return np.argsort(-x.var(axis=0), kind="stable")[:k]


def pca_loading(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Of each of the k first principal components, the largest loading not yet taken.

    Jolliffe's method B4.
    """
    loadings = np.abs(_components(x, k, seed))
    chosen: list[int] = []
    for component in range(k):
        # With fewer samples than k there are fewer components: go round again.
        ranking = np.argsort(-loadings[component % len(loadings)], kind="stable")
        chosen.append(next(int(f) for f in ranking if f not in chosen))
    return np.array(chosen)


def principal_features(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Principal feature analysis: one feature of each of k clusters of loadings.

    Features with like loadings carry like information; of each cluster the one next to
    its centre stays (Lu, Cohen, Zhou and Tian, 2007).
    """
    loadings = _components(x, k, seed).T
    clusters = KMeans(k, n_init=1, random_state=seed).fit(loadings)
    distances = clusters.transform(loadings)
    chosen: list[int] = []
    for cluster in range(k):
        ranking = np.argsort(distances[:, cluster], kind="stable")
        chosen.append(next(int(f) for f in ranking if f not in chosen))
    return np.array(chosen)


def laplacian_score(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The k features that change least between neighbours, for their variance.

    He, Cai and Niyogi, 2005: graph of 5 nearest neighbours, weights of a Gaussian whose
    width is their mean distance. At most `LAPLACIAN_ROWS` rows, drawn by the seed.
    """
    if len(x) > LAPLACIAN_ROWS:
        rows = np.random.default_rng(seed).choice(len(x), LAPLACIAN_ROWS, replace=False)
        x = x[rows]
    graph = kneighbors_graph(x, min(5, len(x) - 1), mode="distance")
    width = np.mean(graph.data**2) or 1.0
    graph.data = np.exp(-(graph.data**2) / width)
    weights = graph.maximum(graph.T)
    degrees = np.asarray(weights.sum(axis=1)).ravel()
    centred = x - degrees @ x / degrees.sum()
    spread = degrees @ centred**2
    smooth = np.einsum("nd,nd->d", centred, weights @ centred)
    # A constant feature is as smooth as can be, and tells nothing: last.
    score = np.full(x.shape[1], np.inf)
    varies = spread > 1e-12
    score[varies] = 1.0 - smooth[varies] / spread[varies]
    return np.argsort(score, kind="stable")[:k]


def _components(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    return PCA(min(k, *x.shape), random_state=seed).fit(x).components_


BASELINES: dict[str, Baseline] = {
    "random": random_features,
    "variance": variance_ranking,
    "pca_loading": pca_loading,
    "principal_features": principal_features,
    "laplacian_score": laplacian_score,
}
