import keras
import numpy as np
import pytest

from uae_tf.evaluation.embedding import embed, knn_accuracy, logistic_probe


@pytest.fixture
def blobs():
    """Three classes around three directions: features and labels."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    return np.eye(3)[y] + 0.2 * rng.normal(size=(90, 3)), y


def slow_knn(train, y_train, test, y_test, k, temperature):
    """By the formula, one test sample at a time."""
    correct = 0
    for features, label in zip(test, y_test, strict=True):
        cosines = [
            float(features @ t / np.linalg.norm(features) / np.linalg.norm(t))
            for t in train
        ]
        votes = np.zeros(y_train.max() + 1)
        for i in np.argsort(cosines)[-k:]:
            votes[y_train[i]] += np.exp(cosines[i] / temperature)
        correct += votes.argmax() == label
    return correct / len(y_test)


@pytest.mark.parametrize(
    ("k", "temperature"), [(1, 0.1), (7, 0.1), (60, 0.5), (7, 0.01)]
)
def test_neighbours_vote_as_in_the_formula(k, temperature):
    rng = np.random.default_rng(1)
    features, y = rng.normal(size=(100, 4)), rng.integers(0, 3, 100)
    split = features[:60], y[:60], features[60:], y[60:]
    received = knn_accuracy(*split, k=k, temperature=temperature)
    assert received == pytest.approx(slow_knn(*split, k, temperature))


def test_good_features_have_good_neighbours_and_lengths_do_not_matter(blobs):
    features, y = blobs
    scaled = features * np.linspace(0.1, 10.0, 90)[:, None]
    split = (features[:60], y[:60], scaled[60:], y[60:])
    assert knn_accuracy(*split, k=20) > 0.9
    shuffled = np.random.default_rng(0).permutation(y[:60])
    assert knn_accuracy(features[:60], shuffled, *split[2:], k=20) < 0.7


def test_half_precision_has_the_same_neighbours():
    rng = np.random.default_rng(0)
    # Squares of such features overflow in half precision; one has no direction.
    features, y = 300.0 * rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    features[0] = 0.0
    half = features.astype("float16")
    found, expected = (
        knn_accuracy(x[:40], y[:40], x[40:], y[40:], k=40)
        for x in (half, half.astype("float64"))
    )
    assert found == expected


def test_features_that_are_not_finite_have_no_neighbours(blobs):
    features, y = blobs
    broken = features.copy()
    broken[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"`test_features` must be finite.*sample 4"):
        knn_accuracy(features, y, broken, y, k=5)
    with pytest.raises(ValueError, match=r"`train_features` must be finite.*in 1 "):
        knn_accuracy(broken, y, features, y, k=5)


@pytest.mark.parametrize("k", [0, 91])
def test_neighbours_there_are_not(blobs, k):
    with pytest.raises(ValueError, match=rf"`k` must lie in 1 ... 90.*k={k}"):
        knn_accuracy(*blobs, *blobs, k=k)


def test_labels_are_needed_one_per_sample(blobs):
    features, y = blobs
    with pytest.raises(ValueError, match=r"`y_train` is missing.*judged by labels"):
        knn_accuracy(features, None, features, y)
    with pytest.raises(ValueError, match=r"`y_test` must hold class numbers.*\(3,\)"):
        knn_accuracy(features, y, features, y[:3], k=3)
    with pytest.raises(ValueError, match=r"`y_train` must hold class numbers.*float64"):
        logistic_probe(features, y / 2)
    # The last class would be that of -1, as numpy counts from the end.
    with pytest.raises(ValueError, match=r"`y_train` must.*from 0.*-1 at sample 0"):
        knn_accuracy(features, y - 1, features, y - 1)


def test_logistic_probe_finds_what_is_linear(blobs):
    features, y = blobs
    assert logistic_probe(features[:60], y[:60]).score(features[60:], y[60:]) > 0.9


def test_the_logistic_probe_has_a_penalty_per_sample_and_no_scale(blobs):
    features, y = blobs
    twice = np.tile(features, (2, 1)), np.tile(y, 2)
    scaled = features * np.array([1.0, 1000.0, 0.01])
    expected = logistic_probe(features, y, penalty=0.1)[-1].coef_
    for x, labels in (twice, (scaled, y)):
        found = logistic_probe(x, labels, penalty=0.1)[-1].coef_
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)


def test_features_are_those_of_inference():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    )
    x = np.random.default_rng(0).normal(3.0, 2.0, (9, 4)).astype("float32")
    expected = x / np.sqrt(1.0 + 1e-3)
    np.testing.assert_allclose(embed(model, x, batch_size=4), expected, rtol=1e-5)


def test_features_that_are_none():
    flat = keras.Sequential([keras.Input((4,)), keras.layers.Reshape((2, 2))])
    x = np.ones((3, 4), "float32")
    with pytest.raises(ValueError, match=r"one vector per sample.*\(3, 2, 2\)"):
        embed(flat, x)
    identity = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    with pytest.raises(ValueError, match="holds no sample"):
        embed(identity, x[:0])
    with pytest.raises(ValueError, match="not finite"):
        embed(identity, x * np.nan)
