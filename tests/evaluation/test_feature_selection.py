import multiprocessing
import warnings

import numpy as np
import pytest

from uae_tf.datasets import Dataset
from uae_tf.evaluation.feature_baselines import BASELINES
from uae_tf.evaluation.feature_selection import selection_quality

RNG = np.random.default_rng(0)


def three_groups(rows):
    """Twelve features, three groups of four proportional ones; the class is in one."""
    base = RNG.random((rows, 3))
    x = np.concatenate(
        [base[:, [i]] * np.array([1.0, 0.9, 0.8, 0.7]) for i in range(3)], axis=1
    )
    return x.astype("float32"), (base[:, 1] > 0.5).astype(np.int64)


@pytest.fixture(scope="module")
def data():
    return Dataset(*three_groups(200), *three_groups(100), name="groups")


def test_features_that_tell_all_are_told_from_those_that_do_not(data):
    good, bad = selection_quality(data, [0, 4, 8]), selection_quality(data, [0, 1, 2])
    assert good["linear_error"] < 1e-10
    assert bad["linear_error"] == pytest.approx(2 / 3 * 0.73 / 12, rel=0.2)
    assert good["accuracy"] > 0.95
    assert bad["accuracy"] < 0.7
    assert good["distinct"] == bad["distinct"] == 3


def test_trees_follow_the_seed(data):
    found = [selection_quality(data, [0, 8], seed)["accuracy"] for seed in range(3)]
    assert len(set(found)) > 1


def test_a_feature_twice_is_a_feature_once(data):
    assert selection_quality(data, [0, 0, 5]) == selection_quality(data, [0, 5])


def test_a_feature_without_variance_in_training_counts_for_nothing():
    x_train, x_test = (RNG.random((rows, 5), np.float32) for rows in (1000, 100))
    x_train *= 0.05
    x_train[:, 0] = 0.9
    y_train, y_test = np.arange(1000) % 2, np.arange(100) % 2
    data = Dataset(x_train, y_train, x_test, y_test, name="one is constant")
    # In single precision its mean is off, and what is left takes a coefficient.
    found = selection_quality(data, [0, 1, 2])["linear_error"]
    assert found == pytest.approx(selection_quality(data, [1, 2])["linear_error"])


def judged_without_warnings(connection, data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quality = selection_quality(data, [0, 4])
    connection.send((quality, [str(warning.message) for warning in caught]))


def test_a_worker_judges_alike_and_without_a_warning(data):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(
        target=judged_without_warnings, args=(theirs, data), daemon=True
    )
    worker.start()
    quality, caught = ours.recv()
    worker.join()
    assert quality == selection_quality(data, [0, 4])
    assert caught == []


def test_images_are_looked_at_as_vectors(data):
    images = Dataset(
        data.x_train.reshape(-1, 4, 3, 1),
        data.y_train,
        data.x_test.reshape(-1, 4, 3, 1),
        data.y_test,
        name="images",
    )
    assert selection_quality(images, [0, 4]) == selection_quality(data, [0, 4])


@pytest.mark.parametrize("features", [[], [-1], [12]])
def test_positions_that_are_not_there(data, features):
    with pytest.raises(ValueError, match="positions from 0 to 11, one or more"):
        selection_quality(data, features)


@pytest.mark.parametrize("features", [np.arange(12) < 4, [1.5, 2.0]])
def test_a_mask_is_not_taken_for_positions(data, features):
    with pytest.raises(ValueError, match=r"whole numbers.*dtype.*flatnonzero"):
        selection_quality(data, features)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(50, 12), (4, 12)])
def test_every_baseline_gives_k_different_features(name, shape):
    x = RNG.random(shape).astype("float32")
    found = BASELINES[name](x, 6, 0)
    assert len(found) == len(set(found.tolist())) == 6
    assert set(found) <= set(range(12))
    np.testing.assert_array_equal(found, BASELINES[name](x, 6, 0))


@pytest.mark.parametrize("name", ["pca_loading", "principal_features"])
def test_principal_components_find_one_feature_of_each_group(data, name):
    found = BASELINES[name](data.x_train, 3, 0)
    assert sorted(found // 4) == [0, 1, 2]


def test_variance_takes_the_largest(data):
    found = BASELINES["variance"](data.x_train, 3, 0)
    spread = data.x_train.var(axis=0)
    assert spread[found].min() >= np.delete(spread, found).max()


def test_the_laplacian_score_takes_what_is_smooth_over_neighbours():
    # Two clusters, told by feature 3 alone; 0 never changes.
    side = RNG.integers(0, 2, 80)
    x = 0.1 * RNG.random((80, 5))
    x[:, 3] += side
    x[:, 0] = 0.5
    assert BASELINES["laplacian_score"](x, 1, 0).tolist() == [3]
    assert BASELINES["laplacian_score"](x, 5, 0)[-1] == 0


def test_random_features_follow_the_seed(data):
    draws = {tuple(BASELINES["random"](data.x_train, 5, seed)) for seed in range(5)}
    assert len(draws) == 5
