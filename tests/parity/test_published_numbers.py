"""Numbers that the published code implies (SPEC sections 2 and 4)."""

import keras
import numpy as np
import pytest
from keras import layers

from uae_tf import GaussianMI, MinMaxAttack, Reconstruction
from uae_tf.mine import gaussian_mutual_information


def identity(shape):
    return keras.Sequential([keras.Input(shape), layers.Identity()])


@pytest.mark.parametrize(
    ("shape", "limit"), [((28, 28, 1), 0.0860), ((32, 32, 3), 0.0732)]
)
def test_start_noise_of_the_published_code(shape, limit):
    """SPEC 2.2.1: the Glorot limits of a variable of shape (1, H, W, C)."""
    criterion = Reconstruction(identity(shape))
    attack = MinMaxAttack.from_preset("published", criterion, None, steps=1)
    assert attack.noise_limit(shape) == pytest.approx(limit, abs=5e-5)
    initializer = keras.initializers.GlorotUniform(seed=0)
    drawn = np.asarray(initializer((1, *shape)))
    assert np.abs(drawn).max() <= attack.noise_limit(shape)
    x = np.full((2, *shape), 0.5, np.float32)
    with pytest.warns(UserWarning, match="no sample"):
        start = attack(x, trace=True).trace
    # f of the identity is the norm of delta: uniform in the limits.
    expected = limit * np.sqrt(np.prod(shape) / 3)
    np.testing.assert_allclose(start["criterion"][0], expected, rtol=0.05)


def test_information_of_a_typical_start():
    """SPEC 4.5: 249.6 nats for 128 measurements at a cosine of 0.98982."""
    assert float(gaussian_mutual_information(0.98982, 128)) == pytest.approx(
        249.6, abs=0.5
    )


def test_oracle_of_random_sampling():
    """SPEC 4.5: information of explicit Gaussian measurements, by simulation."""
    generator = np.random.default_rng(0)
    x = generator.random(200)
    example = (x + generator.uniform(-0.4, 0.4, 200)).clip(0, 1)
    rho = x @ example / np.linalg.norm(x) / np.linalg.norm(example)
    matrices = generator.normal(size=(1500, 200, 16)) / 4.0
    pairs = np.einsum("kdp,sd->skp", matrices, np.stack([x, example])).reshape(2, -1)
    assert np.corrcoef(pairs)[0, 1] == pytest.approx(rho, abs=0.005)
    criterion = Reconstruction(identity((200,)))
    closed = MinMaxAttack(criterion, GaussianMI(16)).similarity.value(
        None, np.float32([rho])
    )
    estimate = -8 * np.log(1 - np.corrcoef(pairs)[0, 1] ** 2)
    assert float(closed[0]) == pytest.approx(estimate, rel=0.03)
