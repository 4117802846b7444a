import numpy as np
import pytest

from uae_tf.datasets import Dataset, semi_supervised_split


def toy(counts=(30, 20, 10)):
    y = np.repeat(np.arange(len(counts)), counts)
    y = np.random.default_rng(0).permutation(y)
    x = np.arange(len(y), dtype=np.float32)[:, None]
    return Dataset(x, y, x[:5], y[:5], name="toy")


def rows(x):
    return set(x[:, 0].astype(int))


@pytest.mark.parametrize("balanced", [True, False])
def test_parts_and_their_labels(balanced):
    data = toy()
    split = semi_supervised_split(data, 4, validation=12, balanced=balanced)
    assert len(split.x_labelled) == 12
    for part in ("labelled", "validation"):
        x, y = getattr(split, f"x_{part}"), getattr(split, f"y_{part}")
        np.testing.assert_array_equal(y, data.y_train[x[:, 0].astype(int)])
    held_out, unlabelled = rows(split.x_validation), rows(split.x_unlabelled)
    assert rows(split.x_labelled) < unlabelled
    assert not held_out & unlabelled
    assert len(held_out | unlabelled) == 60
    if balanced:
        assert np.bincount(split.y_labelled).tolist() == [4, 4, 4]
    assert split.num_classes == 3
    assert split.sample_shape == (1,)


def test_the_draw_follows_the_seed():
    first, again, other = (semi_supervised_split(toy(), 3, seed=s) for s in (0, 0, 1))
    assert rows(first.x_labelled) == rows(again.x_labelled)
    assert rows(first.x_labelled) != rows(other.x_labelled)


def test_random_labels_follow_no_balance():
    split = semi_supervised_split(toy(), 10, balanced=False)
    assert np.bincount(split.y_labelled).tolist() != [10, 10, 10]


def test_too_few_labels():
    with pytest.raises(ValueError, match=r"labels_per_class must be at least 1.*=0"):
        semi_supervised_split(toy(), 0)


def test_more_labels_at_random_than_there_are_samples():
    with pytest.raises(ValueError, match="60 training samples of 3 classes"):
        semi_supervised_split(toy(), 21, balanced=False)


def test_a_class_with_fewer_samples_than_labels():
    with pytest.raises(ValueError, match="class 2 has 10 training samples"):
        semi_supervised_split(toy(), 11)


def test_a_class_that_got_no_label():
    with pytest.raises(ValueError, match="none of class 2, which could then never"):
        semi_supervised_split(toy((30, 30, 1)), 1, balanced=False)


def test_all_held_out():
    with pytest.raises(ValueError, match="validation=60 of 60"):
        semi_supervised_split(toy(), 1, validation=60)
