"""What the settings of semi-supervised training do, and that they are kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf import (
    AdversarialGeneratorTraining,
    ConsistencyTraining,
    VirtualAdversarialTraining,
)
from uae_tf.losses import virtual_adversarial_perturbation
from uae_tf.models import AdversarialExampleGenerator, DenseClassifier

X = np.random.default_rng(0).normal(size=(9, 2)).astype("float32")


def network():
    keras.utils.set_random_seed(0)
    return DenseClassifier((2,), 2, (8,))


def vat(**settings):
    model = VirtualAdversarialTraining(network(), **settings)
    model.compile("adam")
    return model


def test_partners_are_a_step_of_the_settings_away():
    model = vat(epsilon=0.7, xi=0.05, power_iterations=3)
    x = tf.constant(X)
    logits = model.passive_logits(x)
    found = model.partners(x, logits, None) - x
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 0.7, rtol=1e-4)
    start = model.draw_normal(X.shape, 1)
    expected = virtual_adversarial_perturbation(
        model.passive_logits, x, logits, start, 0.7, 0.05, 3
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_noise_follows_from_seed_update_and_stream():
    found = []
    for seed, update, stream in ((0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 2)):
        model = vat(seed=seed)
        model.optimizer.iterations.assign(update)
        found.append(model.draw_normal((4,), stream).numpy().tobytes())
    assert len(set(found)) == 4
    assert vat().draw_normal((4,), 1).numpy().tobytes() == found[0]


SHARED = {"entropy_minimization": True, "ramp_updates": 3, "seed": 4}


@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (ConsistencyTraining, {"weight": 0.5}),
        (
            VirtualAdversarialTraining,
            {"weight": 0.5, "epsilon": 0.2, "xi": 0.1, "power_iterations": 2},
        ),
        (
            AdversarialGeneratorTraining,
            {
                "alpha": 0.5,
                "lambda_": 0.3,
                "roles": "joint",
                "ceiling": 1.5,
                "stop_gradient": True,
            },
        ),
    ],
)
def test_settings_survive_their_config(cls, settings):
    settings = settings | SHARED
    made = {}
    if cls is AdversarialGeneratorTraining:
        made["generator"] = AdversarialExampleGenerator.dense((2,), (8,), 4)
    model = cls(network(), **made, **settings)
    again = cls.from_config(model.get_config())
    assert {name: getattr(again, name) for name in settings} == settings
