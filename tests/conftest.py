"""Fixtures every test may use."""

import gc
import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores. TensorFlow reads this when it is imported.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import tensorflow as tf

from uae_tf import datasets
from uae_tf.datasets.pipelines import untuned

REPOSITORY = Path(__file__).parents[1]

# TensorFlow's million objects: looking through them each time, and as often as Python
# would, took a minute in all.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)


def pytest_configure(config):
    """Leaves graphs as they are written, in the default suite alone.

    To rewrite thousands of tiny graphs took a fifth of its time. Slow tests and the
    notebooks rewrite them as users do: last digits depend on it, and where a test
    compares with another process both must do the same.
    """
    if config.option.markexpr.startswith("not slow"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="session", autouse=True)
def no_tuner():
    """Keras tunes the pipelines it makes of arrays: see `datasets.pipelines`.

    A suite of thousands of them stood still for minutes in all.
    """
    iterate = tf.data.Dataset.__iter__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.data.Dataset, "__iter__", lambda self: iterate(untuned(self)))
        yield


@pytest.fixture(scope="session")
def data_dir():
    """Folder of the prepared tensorflow-datasets sets; the test skips without it."""
    default = REPOSITORY.parent / "shared" / "data" / "tfds"
    folder = Path(os.environ.get("UAE_TF_DATA_DIR", default))
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}: set UAE_TF_DATA_DIR to a TFDS data_dir")
    return folder


@pytest.fixture(scope="session")
def digits():
    """Scikit-learn's digits, 8x8x1, 1437 for training and 360 for testing."""
    return datasets.load("digits")
