import keras
import numpy as np
import pytest

from uae_tf.criteria import Reconstruction
from uae_tf.evaluation import (
    measure_examples,
    perturbation_sizes,
    reconstruction_errors,
)


@pytest.fixture(scope="module")
def halving():
    return keras.Sequential([keras.Input((2, 2)), keras.layers.Rescaling(0.5)])


def test_the_error_is_the_mean_square_over_the_entries(halving):
    x = np.array([[[0, 0], [0, 0]], [[1, 0], [0, 1]], [[1, 1], [1, 1]]], "float32")
    errors = reconstruction_errors(halving, x)
    np.testing.assert_allclose(errors, [0.0, 0.125, 0.25])
    assert errors.dtype == np.float64


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_and_parts_do_not_show(halving, batch_size):
    x = np.random.default_rng(0).uniform(size=(25, 2, 2)).astype("float32")
    expected = np.square(0.5 * x).mean(axis=(1, 2))
    found = reconstruction_errors(halving, x, batch_size)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_errors_of_no_sample_are_refused(halving):
    with pytest.raises(ValueError, match=r"no sample.*\(0, 2, 2\)"):
        reconstruction_errors(halving, np.zeros((0, 2, 2), "float32"))


@pytest.mark.parametrize("rows", [1, 2])
def test_outputs_of_another_shape_are_refused(rows):
    # Keras adds the channel axis that the samples lack; numpy would compare each
    # sample with all others where there are as many as pixels in a row, or one.
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Rescaling(0.5)])
    with pytest.raises(ValueError, match=rf"\({rows}, 2, 2, 1\) for x of shape"):
        reconstruction_errors(model, np.ones((rows, 2, 2), "float32"))


def test_a_failure_that_was_replaced_is_none_in_double_precision_either(halving):
    x = np.random.default_rng(0).uniform(size=(4, 2, 2))
    # As `AttackResult.augmented` gives it: in the dtype of the examples.
    found = measure_examples(Reconstruction(halving), x, x.astype("float32"))
    assert not found["success"].any()


def test_an_infinite_loss_of_the_sample_makes_no_success():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(1.5e19)])
    x, examples = np.ones((1, 2), "float32"), np.full((1, 2), 0.1, "float32")
    f, baseline = Reconstruction(model).evaluate(x, examples)
    assert f[0] == -np.inf
    assert baseline[0] == np.inf
    with np.errstate(invalid="ignore"):
        found = measure_examples(Reconstruction(model), x, examples)
    assert not found["success"].any()


def test_sizes_by_hand():
    x = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.5, 0.0, 0.0]], "float32")
    moved = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.5, 0.3, 0.4]], "float32")
    sizes = perturbation_sizes(x, moved)
    np.testing.assert_allclose(sizes["l2"], [0.0, 0.08**0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(sizes["linf"], [0.0, 0.2, 0.4], rtol=1e-6)
    rho = np.array([0.96, 0.5**0.5])
    np.testing.assert_allclose(sizes["cosine"][1:], rho, rtol=1e-6)
    mi = -0.5 * np.log(1.0 - rho**2)
    np.testing.assert_allclose(sizes["mutual_information"][1:], mi, rtol=1e-5)
    # No change: the same direction, and more information than any change leaves.
    assert sizes["cosine"][0] == pytest.approx(1.0)
    assert np.isfinite(sizes["mutual_information"][0])
    assert sizes["mutual_information"][0] > mi.max()


def test_sizes_take_parts_of_any_number_and_any_rank():
    rng = np.random.default_rng(0)
    x, moved = rng.uniform(size=(2, 2001, 2, 1, 1))
    sizes = perturbation_sizes(x, moved.astype("float32"))
    expected = np.linalg.norm((moved - x).reshape(2001, -1), axis=1)
    np.testing.assert_allclose(sizes["l2"], expected, rtol=1e-5)


def test_examples_by_hand(halving):
    x = np.zeros((4, 2, 2), "float32")
    x[:, 0] = [0.6, 0.8]
    examples = x.copy()
    # The model halves, so twice the sample is reconstructed without an error.
    examples[1] *= 2.0
    examples[2] = 0.0
    # Still half of x off the sample, at a right angle to it.
    examples[3, 0] = x[3, 0] * 2.0
    examples[3, 1] = [0.6, 0.8]
    found = measure_examples(Reconstruction(halving), x, examples)
    assert found["success"].tolist() == [False, True, False, True]
    expected = [0.0, -1.0, 1.0, 0.0]
    np.testing.assert_allclose(found["relative_loss_change"], expected, atol=1e-6)
    np.testing.assert_allclose(found["l2"], [0.0, 1.0, 1.0, 2.0**0.5], rtol=1e-6)
    # A margin moves who succeeds, not the loss.
    found = measure_examples(Reconstruction(halving, kappa=0.2), x, examples)
    assert found["success"].tolist() == [False, True, False, False]
    np.testing.assert_allclose(found["relative_loss_change"], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (0, 2)])
def test_sizes_need_samples_of_one_shape(shape):
    x = np.zeros((0 if 0 in shape else 2, 2), "float32")
    with pytest.raises(ValueError, match="same shape, one or more"):
        perturbation_sizes(x, np.zeros(shape, "float32"))
