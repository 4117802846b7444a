import numpy as np
import pytest

from uae_tf import datasets
from uae_tf.datasets import images


def test_digits_shapes_range_and_types(digits):
    assert digits.x_train.shape == (1437, 8, 8, 1)
    assert digits.x_test.shape == (360, 8, 8, 1)
    assert digits.x_train.dtype == np.float32
    assert digits.y_train.dtype == np.int64
    assert digits.x_train.min() == 0.0
    assert digits.x_train.max() == 1.0


def test_digits_split_is_stratified(digits):
    whole = np.bincount(np.concatenate([digits.y_train, digits.y_test]))
    expected = whole * 360 / 1797
    assert np.abs(np.bincount(digits.y_test) - expected).max() < 1.0


def test_digits_split_follows_the_seed(digits):
    again, other = datasets.load("digits", seed=0), datasets.load("digits", seed=1)
    np.testing.assert_array_equal(again.x_train, digits.x_train)
    assert not np.array_equal(other.x_train, digits.x_train)


@pytest.mark.parametrize("samples", [1, np.int64(7), 1437])
def test_samples_takes_the_first_of_the_training_split(digits, samples):
    data = datasets.load("digits", samples=samples)
    np.testing.assert_array_equal(data.x_train, digits.x_train[:samples])
    np.testing.assert_array_equal(data.y_train, digits.y_train[:samples])
    assert len(data.x_test) == 360


@pytest.mark.parametrize("samples", [0, -5])
def test_too_few_samples(samples):
    with pytest.raises(ValueError, match=f"at least 1. Received: samples={samples}"):
        datasets.load("digits", samples=samples)


def test_more_samples_than_there_are():
    with pytest.raises(ValueError, match=r"samples=1438 .* 'digits' holds 1437"):
        datasets.load("digits", samples=1438)


@pytest.mark.parametrize("samples", [1.5, "10", [3]])
def test_samples_of_another_type(samples):
    with pytest.raises(TypeError, match="samples must be an integer or None"):
        datasets.load("digits", samples=samples)


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'minst'.*digits, circles, mnist, fashion_m"):
        datasets.load("minst")
    with pytest.raises(ValueError, match="'minst'"):
        datasets.is_at_hand("minst")


@pytest.mark.parametrize(
    ("name", "labels", "shape", "train"),
    [
        ("mnist", [4, 1, 0, 7, 8], (28, 28, 1), 60000),
        ("fashion_mnist", [2, 1, 8, 4, 1], (28, 28, 1), 60000),
        ("cifar10", [7, 8, 4, 4, 6], (32, 32, 3), 50000),
    ],
)
def test_stock_order(data_dir, name, labels, shape, train):
    data = datasets.load(name, data_dir=data_dir, samples=300)
    assert data.y_train[:5].tolist() == labels
    assert data.x_train.shape == (300, *shape)
    assert data.x_test.shape == (10000, *shape)
    assert data.x_train.dtype == np.float32
    assert data.x_train.min() == 0.0
    assert data.x_train.max() == 1.0
    with pytest.raises(ValueError, match=f"training split of '{name}' holds {train}"):
        datasets.load(name, data_dir=data_dir, samples=train + 1)


def test_data_dir_from_the_environment(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert datasets.load("mnist", samples=1).y_train.tolist() == [4]


def test_svhn_path_on_mock_data(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(images, "check_reachable", lambda url: None)
    with tfds.testing.mock_data(num_examples=12):
        data = datasets.load("svhn_cropped", data_dir=tmp_path)
    assert data.x_train.shape == (12, 32, 32, 3)
    assert data.x_train.dtype == np.float32
    assert data.x_train.max() <= 1.0
    assert set(data.y_train) <= set(range(10))


def test_not_prepared_and_offline(tmp_path, monkeypatch):
    def unreachable(url):
        raise OSError(f"no route to {url}")

    monkeypatch.setattr(images, "check_reachable", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        datasets.load("svhn_cropped", data_dir=tmp_path)
    message = str(caught.value)
    assert "'svhn_cropped' is not prepared" in message
    assert f"data_dir={str(tmp_path)!r}" in message
    assert f"tfds build svhn_cropped --data_dir {tmp_path}" in message
    assert "no route to http://ufldl.stanford.edu" in message


def test_an_answering_server_counts_as_reachable(monkeypatch):
    def answer(url, timeout):
        raise images.urllib.error.HTTPError(url, 403, "forbidden", {}, None)

    monkeypatch.setattr(images.urllib.request, "urlopen", answer)
    images.check_reachable("http://example.org")
