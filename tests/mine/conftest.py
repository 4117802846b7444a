"""Small critics and views with known answers."""

import numpy as np
import pytest
import tensorflow as tf

from uae_tf.mine.ascent import Critic


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def weights(generator):
    """Explicit weights of one critic a sample: (A, B, w, bias)."""

    def make(batch, hidden, dim_u, dim_v):
        shapes = (
            (batch, hidden, dim_u),
            (batch, hidden, dim_v),
            (batch, hidden),
            (batch, hidden),
        )
        return [tf.constant(generator.normal(size=s), tf.float32) for s in shapes]

    return make


@pytest.fixture
def explicit_critic():
    """Responses of explicit weights to views ``(batch, K, d)``."""

    def make(weights, u, v):
        a = tf.einsum("bhd,bkd->bhk", weights[0], u)
        b = tf.einsum("bhd,bkd->bhk", weights[1], v)
        return Critic(a, b, weights[2], weights[3])

    return make
