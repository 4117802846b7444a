import os
import subprocess
import sys

import pytest

# Blocks TensorFlow, and looks at what is left.
IMPORTED = """
import sys
sys.modules["tensorflow"] = None
import uae_tf
from uae_tf.models import SimCLR
from uae_tf.optimizers import LARS, simclr_schedule
try:
    uae_tf.MinMaxAttack
except ImportError as error:
    print(error)
print(hasattr(uae_tf.models, "nothing"))
"""
# Trains and projects with it.
TRAINED = f"""{IMPORTED}
import keras
import numpy as np
# Not the ResNet: compiling it takes long.
layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
encoder = keras.Sequential([*layers, keras.layers.Dense(4)])
model = SimCLR(encoder, seed=0)
images = np.random.default_rng(0).random((6, 8, 8, 3), "float32")
model.compile(LARS(simclr_schedule(1.0, 256, 10)))
loss = model.fit(images, batch_size=6, verbose=0).history["loss"]
print(model.predict(images, verbose=0).shape, np.isfinite(loss).all())
uae_tf.models.fused_norm.FusedBatchNormalization()(images, training=True)
"""


def printed(program):
    """What a process with JAX under Keras prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_needs_no_tensorflow_is_imported_without_it():
    error, missing = printed(IMPORTED)
    assert "uae_tf.MinMaxAttack needs Keras on TensorFlow" in error
    assert missing == "False"


@pytest.mark.slow
def test_contrastive_learning_runs_where_there_is_no_tensorflow():
    assert printed(TRAINED)[2:] == ["(6, 1) True"]
