"""The box and the ball, against their definitions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uae_tf.ops import l2_norm, project_box_and_ball, project_l2_ball

BOUNDS = [(0.0, 1.0), (-1.0, 1.0), (-2.118, 2.64)]
SHAPE = (3, 2, 2)


def arrays(low, high):
    # TensorFlow flushes subnormal numbers to zero.
    numbers = st.floats(low, high, width=32, allow_subnormal=False)
    return hnp.arrays(np.float32, SHAPE, elements=numbers)


def inside(bounds):
    low, high = (np.float32(bound) for bound in bounds)
    return arrays(0, 1).map(lambda unit: np.clip(low + unit * (high - low), low, high))


@pytest.mark.parametrize("bounds", BOUNDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_box_and_ball(bounds, data):
    x = data.draw(inside(bounds))
    delta = data.draw(arrays(-8, 8))
    epsilon = data.draw(st.floats(0.0078125, 3.0, width=32))
    projected = project_box_and_ball(delta, x, epsilon, *bounds).numpy()
    rounding = 1e-6 * max(map(abs, bounds))
    assert np.all(np.abs(projected) <= np.float32(epsilon))
    assert np.all(x + projected >= bounds[0] - rounding)
    assert np.all(x + projected <= bounds[1] + rounding)
    again = project_box_and_ball(projected, x, epsilon, *bounds).numpy()
    np.testing.assert_array_equal(again, projected)
    allowed = (
        (np.abs(delta) <= epsilon)
        & (delta >= np.float32(bounds[0]) - x)
        & (delta <= np.float32(bounds[1]) - x)
    )
    np.testing.assert_array_equal(projected[allowed], delta[allowed])


def test_box_and_ball_gives_the_nearest_allowed_point():
    generator = np.random.default_rng(0)
    x = generator.random((1, 4), dtype=np.float32)
    delta = generator.normal(size=(1, 4)).astype(np.float32)
    projected = project_box_and_ball(delta, x, 0.3, 0.0, 1.0).numpy()
    others = generator.uniform(-0.3, 0.3, (20_000, 4))
    others = others[np.all((x + others >= 0) & (x + others <= 1), axis=1)]
    assert len(others) > 500
    nearest = np.linalg.norm(others - delta, axis=1).min()
    assert np.linalg.norm(projected - delta) <= nearest


@settings(deadline=None, max_examples=60)
@given(delta=arrays(-8, 8), epsilon=st.floats(0.0078125, 20.0, width=32))
def test_l2_ball(delta, epsilon):
    projected = project_l2_ball(tf.constant(delta), epsilon)
    assert np.all(l2_norm(projected).numpy() <= epsilon * (1 + 1e-5))
    again = project_l2_ball(projected, epsilon).numpy()
    np.testing.assert_allclose(again, projected.numpy(), rtol=1e-5)
    small = l2_norm(tf.constant(delta)).numpy() <= epsilon
    np.testing.assert_array_equal(projected.numpy()[small], delta[small])


def test_l2_ball_keeps_the_direction():
    delta = tf.constant([[3.0, 4.0], [0.0, 0.0], [0.3, 0.4]])
    projected = project_l2_ball(delta, 1.0).numpy()
    np.testing.assert_allclose(projected, [[0.6, 0.8], [0, 0], [0.3, 0.4]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_projections_keep_the_precision_they_are_given_in_a_graph_too(dtype):
    delta = tf.constant([[3.0, -4.0], [0.0, 0.0]], dtype)
    for project in (
        lambda delta: project_l2_ball(delta, 1.0),
        lambda delta: project_box_and_ball(delta, 0.5 + 0.0 * delta, 0.7, 0.0, 1.0),
    ):
        received = tf.function(project, autograph=False)(delta)
        assert received.dtype == dtype
        np.testing.assert_array_equal(received, project(delta))
