import os
import subprocess
import sys

# Blocks TensorFlow, trains and projects with what is left.
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
import keras
import numpy as np
import uae_tf
from uae_tf.models import SimCLR
from uae_tf.optimizers import LARS, simclr_schedule

# Not the ResNet: compiling it takes long.
layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
encoder = keras.Sequential([*layers, keras.layers.Dense(4)])
model = SimCLR(encoder, seed=0)
images = np.random.default_rng(0).random((6, 8, 8, 3), "float32")
model.compile(LARS(simclr_schedule(1.0, 256, 10)))
loss = model.fit(images, batch_size=6, verbose=0).history["loss"]
print(model.predict(images, verbose=0).shape, np.isfinite(loss).all())
uae_tf.models.fused_norm.FusedBatchNormalization()(images, training=True)
try:
    uae_tf.MinMaxAttack
except ImportError as error:
    print(error)
print(hasattr(uae_tf.models, "nothing"))
"""


def test_contrastive_learning_runs_where_there_is_no_tensorflow():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TENSORFLOW],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shapes, error, missing = done.stdout.splitlines()
    assert shapes == "(6, 1) True"
    assert "uae_tf.MinMaxAttack needs Keras on TensorFlow" in error
    assert missing == "False"
