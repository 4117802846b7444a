"""A small classifier of the digits, in a file, and cheap judges."""

import functools

import keras
import pytest

from uae_tf import MINE, models
from uae_tf.evaluation import likeness
from uae_tf.experiments.supervised import (
    bench,
    epsilon_sweep,
    minmax_penalty,
    quality,
    robust,
)

USERS_OF_MINE = (epsilon_sweep, likeness, minmax_penalty, quality, robust)


@pytest.fixture(scope="package")
def classifier(digits, tmp_path_factory):
    """Path of a trained classifier."""
    keras.utils.set_random_seed(0)
    model = models.CarliniWagnerClassifier(
        (8, 8, 1), filters=(6, 8), units=16, dropout=0.0, padding="same"
    )
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(digits.x_train, digits.y_train, epochs=6, verbose=0)
    path = tmp_path_factory.mktemp("classifier") / "small.keras"
    model.save(path)
    return str(path)


@pytest.fixture(scope="package", autouse=True)
def cheap_critics():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "CRITIC_STEPS", 20)
        # Compiling takes longer than these few steps do.
        uncompiled = functools.partial(MINE, jit_compile=False)
        for module in USERS_OF_MINE:
            patch.setattr(module, "MINE", uncompiled)
        yield


@pytest.fixture
def no_critics(monkeypatch):
    """Leaves out what is compiled anew for every call, and tested by itself."""
    monkeypatch.setattr(bench, "first_convolution", lambda model: None)
