import os
import subprocess
import sys

import pytest

# Blocks TensorFlow, trains (which the NumPy backend cannot) and projects with what is
# left.
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
import keras
import numpy as np
import uae_tf
from uae_tf.losses import NTXent
from uae_tf.models import ResNet18, SimCLR
from uae_tf.optimizers import LARS, simclr_schedule

# Not the ResNet: compiling it takes long.
layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
encoder = keras.Sequential([*layers, keras.layers.Dense(4)])
model = SimCLR(encoder, seed=0)
images = np.random.default_rng(0).random((6, 8, 8, 3), "float32")
if keras.config.backend() == "numpy":
    loss = NTXent()(model(images), model(images[::-1]))
else:
    model.compile(LARS(simclr_schedule(1.0, 256, 10)))
    loss = model.fit(images, batch_size=6, verbose=0).history["loss"]
print(model.predict(images, verbose=0).shape, np.isfinite(loss).all())
try:
    uae_tf.MinMaxAttack
except ImportError as error:
    print(error)
print(hasattr(uae_tf.models, "nothing"))
"""


@pytest.mark.parametrize(
    "backend", ["numpy", pytest.param("jax", marks=pytest.mark.slow)]
)
def test_contrastive_learning_runs_where_there_is_no_tensorflow(backend):
    pytest.importorskip(backend, reason="a Keras backend other than TensorFlow")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shapes, error, missing = done.stdout.splitlines()
    assert shapes == "(6, 1) True"
    assert "uae_tf.MinMaxAttack needs Keras on TensorFlow" in error
    assert missing == "False"
