"""Fixed batch shapes."""

import numpy as np
import pytest

from uae_tf.ops import pad_to


@pytest.mark.parametrize("size", [3, 4, 9])
def test_padding_repeats_the_last_row(size):
    array = np.arange(12.0).reshape(3, 4)
    padded = pad_to(array, size)
    assert padded.shape == (size, 4)
    np.testing.assert_array_equal(padded[:3], array)
    assert np.all(padded[3:] == array[-1])


def test_a_full_batch_is_left_alone():
    array = np.arange(3)
    assert pad_to(array, 3) is array
    assert pad_to(array, 2) is array
