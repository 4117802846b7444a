"""The concrete autoencoder as a feature selector of scikit-learn."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..datasets.pipelines import predict
from ..models.concrete import CONVERGED, ConcreteAutoencoder, concrete_decoder
from .pipeline import counted_batches
from .retrain import split_steps


class ConcreteFeatureSelector(SelectorMixin, BaseEstimator):
    """Keep the features from which a neural network reconstructs all others best.

    A drop-in transformer: it selects columns, needs no labels, and works on arrays and
    data frames, in pipelines and grid searches. Inside it trains a
    `uae_tf.models.ConcreteAutoencoder` on the features scaled to [0, 1]; `transform`
    returns the columns as they are.

    Args:
        n_features_to_select: k, how many. Defaults to None: half of the features. Two
            units of the network may choose the same feature, so that fewer columns
            come out; `n_duplicates_` says how many.
        epochs: Passes over the data in the first run.
        tries: Runs at most: after one that has not decided, all starts anew with twice
            the epochs (SPEC 5.3).
        batch_size: Samples an update. Defaults to None: N / 256, at least 16, as in
            SPEC 5.2.
        learning_rate: Of Adam. Defaults to 3e-3; the published 1e-3 decides later.
        hidden_units: Widths of the decoder's hidden layers. Defaults to the paper's.
        embedding_dim: Of the indirect parameterisation, see
            `uae_tf.models.ConcreteSelect`. Defaults to 64: it measured better and
            hardly ever selects a feature twice (docs/RESULTS.md). None: as published.
        random_state: Seed, `numpy.random.RandomState` or None. An int repeats the
            selection exactly on one machine, whatever the global seeds.
        verbose: As in Keras's `fit`: 0 silent, 1 a bar, 2 a line per epoch.

    Attributes:
        selected_features_: (k,) the column each unit chose, most certain first.
        n_duplicates_: How many of them repeat another.
        confidence_: Mean largest probability of the units; 1 where all have decided.
        model_: the trained `ConcreteAutoencoder`, for [0, 1]-scaled features.
        data_min_, data_range_: (d,) how columns are scaled for the network.
        n_features_in_: number of columns seen in `fit`.
        feature_names_in_: their names, where X had names.

    Raises:
        ValueError: `n_features_to_select` is not between 1 and the number of columns,
            or X is not finite.

    Cost:
        epochs x N / batch_size updates of a network of about d (k + 320) weights; each
        further run takes twice those of the one before, so five take up to 31 times.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).random((40, 6))
        >>> selector = ConcreteFeatureSelector(2, epochs=2, tries=1, random_state=0)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", ConvergenceWarning)
        ...     selector.fit(x).selected_features_.shape
        (2,)

    Reference:
        Balin, Abid and Zou, ICML 2019; SPEC 5.
    """

    def __init__(
        self,
        n_features_to_select: int | None = None,
        *,
        epochs: int = 300,
        tries: int = 5,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        hidden_units: Sequence[int] = (320, 320),
        embedding_dim: int | None = 64,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.epochs = epochs
        self.tries = tries
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.hidden_units = hidden_units
        self.embedding_dim = embedding_dim
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> ConcreteFeatureSelector:
        """Train the network and take over its choice.

        Args:
            X: (N, d) numbers, two rows or more; array or data frame.
            y: Not used; scikit-learn's convention.

        Returns:
            The selector itself.
        """
        x = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        k = self._number(x.shape[1])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.data_min_, self.data_range_ = x.min(axis=0), np.ptp(x, axis=0)
        self.data_range_[self.data_range_ == 0] = 1.0
        self.model_ = self._train(self._scaled(x), k, seed)
        probabilities = self.model_.probabilities
        order = np.argsort(-probabilities.max(axis=1), kind="stable")
        self.selected_features_ = self.model_.selected_features[order]
        self.n_duplicates_ = k - self.model_.select.num_distinct
        self.confidence_ = self.model_.select.confidence
        if self.confidence_ < CONVERGED:
            warnings.warn(
                "The selection has not settled: the units are sure of their choice by "
                f"{self.confidence_:.3f} on average, where {CONVERGED} is wanted. Use "
                "more `epochs` or `tries`, or a larger `learning_rate`.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def reconstruct(self, X: Any) -> np.ndarray:
        """Predict all features from the selected ones, in the units of `fit`.

        Args:
            X: (M, d); only the selected columns are looked at, others may be NaN.

        Returns:
            (M, d) float.
        """
        check_is_fitted(self)
        # Whoever measures the selected features alone may have NaN in the others.
        x = validate_data(
            self,
            X,
            dtype=(np.float64, np.float32),
            reset=False,
            ensure_all_finite=False,
        )
        assert_all_finite(x[:, self.selected_features_], input_name="X")
        outputs = predict(self.model_, self._scaled(x))
        return self.data_min_ + self.data_range_ * outputs

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.selected_features_] = True
        return mask

    def _number(self, num_features: int) -> int:
        wanted = self.n_features_to_select
        if wanted is None:
            return max(1, num_features // 2)
        is_whole = isinstance(wanted, numbers.Integral) and not isinstance(wanted, bool)
        if not is_whole or not 1 <= wanted <= num_features:
            raise ValueError(
                "n_features_to_select must be a whole number from 1 to the number of "
                f"features, {num_features}, or None. Received: {wanted!r}."
            )
        return int(wanted)

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return ((x - self.data_min_) / self.data_range_).astype(np.float32)

    def _train(self, x: np.ndarray, k: int, seed: int) -> ConcreteAutoencoder:
        size = min(self.batch_size or max(len(x) // 256, 16), len(x))
        steps = -(-len(x) // size)
        decoder = concrete_decoder(x.shape[1], self.hidden_units, seed=seed)
        model = ConcreteAutoencoder(
            k, decoder, x.shape[1:], embedding_dim=self.embedding_dim, seed=seed
        )
        model.compile(
            keras.optimizers.Adam(self.learning_rate),
            "mse",
            jit_compile=False,
            steps_per_execution=split_steps(steps, steps)[1],
        )
        # Or Keras traces the first step twice.
        model.optimizer.build(model.trainable_variables)
        # Batches of the longest run there may be; a shorter one leaves the rest.
        longest = self.epochs * 2 ** (self.tries - 1) * steps
        first = tf.Variable(0, dtype=tf.int64, trainable=False)
        model.fit(
            counted_batches((x,), size, longest, seed, first),
            epochs=self.epochs,
            steps_per_epoch=steps,
            shuffle=False,
            tries=self.tries,
            verbose=self.verbose,
        )
        return model
