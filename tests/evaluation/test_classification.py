import keras
import numpy as np
import pytest

from uae_tf.evaluation import error_rate, label_agreement


@pytest.fixture
def argmax():
    """A classifier whose logits are its inputs."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Identity()])


def test_error_rate_counts_wrong_predictions(argmax):
    x = np.eye(3, dtype="float32")
    assert error_rate(argmax, x, np.array([0, 1, 1]), batch_size=2) == pytest.approx(
        1 / 3
    )
    x[1, 1] = np.nan
    assert np.isnan(error_rate(argmax, x, np.arange(3)))


def test_agreement_is_with_the_judges_own_labels(argmax):
    x = np.eye(3, dtype="float32")
    assert label_agreement(argmax, x, x[[0, 1, 0]]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(1,), (2, 2)])
def test_outputs_that_are_not_one_per_class_are_refused(shape):
    model = keras.Sequential([keras.Input(shape), keras.layers.Identity()])
    x = np.zeros((2, *shape), "float32")
    # Of one column the largest is always the first, whatever it is.
    for judge in (error_rate, label_agreement):
        with pytest.raises(ValueError, match=r"one output per class.*\(2, .*sigmoid"):
            judge(model, x, np.zeros(2, int) if judge is error_rate else x)


@pytest.mark.parametrize("rows", [0, 2])
def test_rows_that_do_not_match(argmax, rows):
    with pytest.raises(ValueError, match="same number of rows, one or more"):
        error_rate(argmax, np.zeros((rows, 3), "float32"), np.zeros(rows * 2))


def test_labels_in_a_column_are_refused(argmax):
    x = np.eye(3, dtype="float32")
    with pytest.raises(ValueError, match=r"`y` must hold class numbers.*\(3, 1\)"):
        error_rate(argmax, x, np.arange(3)[:, None])
