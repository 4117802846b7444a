import pickle
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from uae_tf import ConcreteFeatureSelector

RNG = np.random.default_rng(0)
# Three groups of three columns, at very different scales: one number tells a group.
SCALES = np.array([1.0, 1000.0, 0.01])
X = np.repeat(RNG.random((60, 3)) * SCALES, 3, axis=1)
X[:, ::3] *= -1.0
Y = (X[:, 4] > 500).astype(int)
QUICK = {"epochs": 40, "tries": 1, "learning_rate": 0.05, "hidden_units": ()}
QUICK["embedding_dim"] = None


def quick(**settings):
    return ConcreteFeatureSelector(**{**QUICK, "random_state": 0, **settings})


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return quick(n_features_to_select=3).fit(X)


@pytest.fixture
def eager():
    """Nothing is compiled: two hundred fits of a few updates are quicker without."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
# Keras says that eager tf.data functions are slow.
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_s_own_checks(eager):
    estimator = ConcreteFeatureSelector(epochs=1, tries=1, hidden_units=())
    names = set()
    for copy, check in estimator_checks_generator(estimator):
        names.add(check.func.__name__)
        # Needs an environment variable set before scipy is imported.
        if check.func.__name__ != "check_array_api_input":
            check(copy)
    assert len(names) > 35
    assert "check_transformer_general" in names


def test_one_column_of_each_group_whatever_its_scale(fitted):
    assert sorted(fitted.selected_features_ // 3) == [0, 1, 2]
    assert fitted.n_duplicates_ == 0
    assert fitted.get_support().sum() == 3
    np.testing.assert_array_equal(
        fitted.get_support(indices=True), np.sort(fitted.selected_features_)
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_choices_come_by_certainty_and_duplicates_are_counted():
    selector = quick(n_features_to_select=9, epochs=1).fit(X)
    order = np.argsort(-selector.model_.probabilities.max(axis=1), kind="stable")
    assert np.any(np.diff(order) < 0)
    np.testing.assert_array_equal(
        selector.selected_features_, selector.model_.selected_features[order]
    )
    distinct = len(set(selector.selected_features_))
    assert selector.n_duplicates_ == 9 - distinct > 0


def test_transform_returns_the_columns_untouched(fitted):
    kept = np.sort(fitted.selected_features_)
    np.testing.assert_array_equal(fitted.transform(X), X[:, kept])
    back = fitted.inverse_transform(fitted.transform(X))
    expected = np.zeros_like(X)
    expected[:, kept] = X[:, kept]
    np.testing.assert_array_equal(back, expected)


def test_reconstruction_comes_in_the_units_of_the_data(fitted):
    blind = np.where(fitted.get_support(), X, 0.0)
    predicted = fitted.reconstruct(X)
    np.testing.assert_array_equal(predicted, fitted.reconstruct(blind))
    unmeasured = np.where(fitted.get_support(), X, np.nan)
    np.testing.assert_array_equal(predicted, fitted.reconstruct(unmeasured))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.reconstruct(np.where(fitted.get_support(), np.nan, X))
    # Relative to the spread of each column, whatever its scale.
    errors = np.abs(predicted - X).mean(axis=0) / X.std(axis=0)
    assert errors.max() < 0.5


def test_data_frames_in_and_out(fitted):
    names = [f"protein {i}" for i in range(9)]
    frame = pd.DataFrame(X, columns=names)
    selector = quick(n_features_to_select=3).set_output(transform="pandas")
    with pytest.warns(ConvergenceWarning, match=r"not settled: .* 0\.\d\d\d on av"):
        found = selector.fit_transform(frame)
    kept = [names[i] for i in np.sort(fitted.selected_features_)]
    assert list(found.columns) == kept
    assert selector.get_feature_names_out().tolist() == kept
    pd.testing.assert_frame_equal(found, frame[kept])
    with pytest.raises(ValueError, match="feature names"):
        selector.transform(frame.rename(columns={"protein 0": "other"}))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_drops_into_a_pipeline():
    pipeline = make_pipeline(quick(n_features_to_select=3), LogisticRegression())
    score = pipeline.fit(X, Y).score(X, Y)
    assert score > 0.8
    copy = clone(pipeline).set_params(concretefeatureselector__epochs=1)
    assert copy.fit(X, Y).n_features_in_ == 9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_random_state_alone_decides(fitted):
    keras.utils.set_random_seed(99)
    state = np.random.get_state()[1].copy()
    again = quick(n_features_to_select=3).fit(X)
    np.testing.assert_array_equal(
        again.model_.probabilities, fitted.model_.probabilities
    )
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    other = quick(n_features_to_select=3, random_state=1).fit(X)
    assert not np.array_equal(other.model_.probabilities, fitted.model_.probabilities)


def test_it_is_pickled_with_its_network(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    np.testing.assert_allclose(copy.reconstruct(X), fitted.reconstruct(X), rtol=1e-6)


def test_duplicates_are_reported_and_leave_fewer_columns(fitted):
    selector = pickle.loads(pickle.dumps(fitted))
    selector.selected_features_ = np.array([4, 4, 1])
    assert selector.transform(X).shape == (60, 2)
    assert selector.get_feature_names_out().tolist() == ["x1", "x4"]


@pytest.mark.parametrize("number", [0, 10, 2.5, True, "3"])
def test_numbers_of_features_that_cannot_be(number):
    with pytest.raises(ValueError, match=r"n_features_to_select .* 1 to .* 9, or None"):
        quick(n_features_to_select=number).fit(X)


def test_nothing_comes_out_before_fit():
    for method in ("transform", "reconstruct"):
        with pytest.raises(NotFittedError):
            getattr(quick(), method)(X)
