"""A sample's random numbers follow from (seed, id), not from its batch."""

import numpy as np
import pytest

from uae_tf.ops import (
    fold_in,
    per_sample_normal,
    per_sample_seeds,
    per_sample_uniform,
)


def uniform(seeds, shape=(3, 2)):
    return per_sample_uniform(seeds, shape, -2.0, 3.0).numpy()


def normal(seeds, shape=(3, 2)):
    return per_sample_normal(seeds, shape).numpy()


@pytest.mark.parametrize("draw", [uniform, normal])
def test_numbers_do_not_depend_on_the_batch(draw):
    together = draw(per_sample_seeds(7, np.arange(6)))
    for ids in ([4], [5, 0], [2, 1, 3]):
        np.testing.assert_array_equal(draw(per_sample_seeds(7, ids)), together[ids])


@pytest.mark.parametrize("draw", [uniform, normal])
def test_other_ids_seeds_and_streams_give_other_numbers(draw):
    seeds = per_sample_seeds(7, np.arange(6))
    streams = [draw(fold_in(seeds, stream)) for stream in range(6)]
    streams += [draw(per_sample_seeds(seed, np.arange(6))) for seed in (8, -7)]
    numbers = np.concatenate(streams).reshape(-1, 6)
    np.testing.assert_array_equal(streams[0], draw(seeds))
    assert len(np.unique(numbers, axis=0)) == len(numbers)


def test_moments():
    seeds = per_sample_seeds(0, np.arange(20))
    uniforms = uniform(seeds, (2000,))
    assert uniforms.min() >= -2.0
    assert uniforms.max() < 3.0
    assert uniforms.mean() == pytest.approx(0.5, abs=0.03)
    normals = normal(seeds, (2000,))
    assert normals.mean() == pytest.approx(0.0, abs=0.02)
    assert normals.std() == pytest.approx(1.0, abs=0.02)
    correlation = np.corrcoef(normals)
    assert np.abs(correlation - np.eye(20)).max() < 0.1


def test_seeds_keep_ids_apart_up_to_the_largest():
    ids = [0, 1, 2**31 - 1]
    seeds = per_sample_seeds(2**31 - 1, ids).numpy()
    assert seeds.dtype == np.int32
    assert len(np.unique(seeds, axis=0)) == 3
