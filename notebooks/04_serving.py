# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Behind TF-Serving
#
# A trained model, its score, and an attack on it become one folder that TensorFlow
# Serving serves. This page exports a small model, asks each of its signatures, first
# with nothing but TensorFlow and then over gRPC, and looks at the models in
# [models/](../models/README.md). The Docker line for the real server stands in [the
# how-to](../docs/how-to/serving.md).
#
# It needs no GPU and no download, and takes half a minute.

# %%
import json
import tempfile
from pathlib import Path

import grpc
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

import uae_tf
from uae_tf.experiments.report import gallery
from uae_tf.serving import PredictionServer

# %% [markdown]
# ## Export

# %%
keras.utils.set_random_seed(0)
data = uae_tf.datasets.load("digits")
model = uae_tf.models.build("dense", data.sample_shape, recipe="modern")
model.fit(data.x_train, epochs=20, batch_size=100, verbose=0)
attack = uae_tf.MinMaxAttack.from_preset(
    "strong", uae_tf.Reconstruction(model), uae_tf.GaussianMI()
)

repository = Path(tempfile.mkdtemp()) / "models"
version = uae_tf.export(
    model,
    repository,
    name="digits",
    attack=attack,
    card={"data": "scikit-learn's digits", "licence": "CC BY 4.0"},
)
for path in sorted(repository.rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size / 1000:8.1f} kB  {path.relative_to(repository)}")

# %% [markdown]
# `models.config` is what the server reads; `card.json` says what the model is and how
# it was made. Exporting again makes version 2, and a version that exists is never
# overwritten.

# %%
card = json.loads((version / "card.json").read_text())
print({key: card[key] for key in ("name", "version", "data", "licence")})

# %% [markdown]
# ## Ask, with TensorFlow alone
# What follows up to the gRPC part uses no line of `uae_tf` or Keras: the graph holds
# the whole attack, all iterations included.

# %%
served = tf.saved_model.load(str(version))
for name, signature in sorted(served.signatures.items()):
    inputs = [
        f"{spec.name} {spec.dtype.name}{list(spec.shape)}"
        for _, spec in sorted(signature.structured_input_signature[1].items())
    ]
    outputs = ", ".join(sorted(signature.structured_outputs))
    print(f"{name:24}{' + '.join(inputs):52}-> {outputs}")

# %%
x = data.x_test[:64]
ask = served.signatures
reconstruction = ask["serving_default"](x=tf.constant(x))["reconstruction"].numpy()
code = ask["encode"](x=tf.constant(x))["code"].numpy()
score = ask["score"](x=tf.constant(x))["score"].numpy()
found = ask["attack"](x=tf.constant(x), seed=tf.constant([0]))
examples, success = found["examples"].numpy(), found["success"].numpy()

difference = np.abs(reconstruction - model.predict(x, verbose=0)).max()
print(f"reconstruction {reconstruction.shape}: largest difference to Keras", difference)
print(f"code {code.shape}, score {score.shape}: mean {score.mean():.3f}")
difference = np.abs(examples - attack(x).examples).max()
print(f"attack: success {success.mean():.0%}, largest difference to Python", difference)

# %% [markdown]
# The same samples in 8 bits, as a camera or a PNG file gives them: 0 and 255 stand for
# the attack's bounds.

# %%
eight_bit = np.round(255 * x).astype("uint8")
rounded = ask["score_uint8"](x=tf.constant(eight_bit))["score"].numpy()
print(
    "largest change of the score by rounding to 8 bits:", np.abs(rounded - score).max()
)

# %% [markdown]
# What the served attack found:

# %%
again = ask["serving_default"](x=tf.constant(examples))["reconstruction"].numpy()
gallery(x, examples, reconstruction, again, success)

# %% [markdown]
# ## What the score is good for
# `score` is the model's loss of each sample, $\lVert x - \Phi(x) \rVert$: low for what
# resembles the training data. As a detector of the unusual it is a blunt tool: digits
# upside down, strange to us, overlap with the test digits. And the UAEs score as badly
# as noise does. That is no contradiction: the attack's criterion holds the model's
# answer against the *clean* sample, the score against the sample that was sent.

# %%
strange = {
    "test digits": x,
    "their UAEs": examples,
    "digits upside down": x[:, ::-1],
    "digits, noise ±0.5": uae_tf.UniformNoise(0.5)(x).examples,
}
scores = [
    ask["score"](x=tf.constant(np.ascontiguousarray(s)))["score"].numpy()
    for s in strange.values()
]
figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
axes.boxplot(scores, orientation="horizontal", widths=0.6, whis=(0, 100))
axes.set_yticks(range(1, len(strange) + 1), strange)
axes.invert_yaxis()
axes.set(xlabel="score: L2 norm of the reconstruction error", xlim=(0, None))
axes.set_title("64 samples each: range, quartiles and median")
plt.show()

# %% [markdown]
# ## Ask over gRPC
# `PredictionServer` speaks TF-Serving's protocol on this machine, for tests and
# notebooks. The client below is what talks to the real server too.


# %%
def request(signature, **inputs):
    message = PredictRequest()
    message.model_spec.name = "digits"
    message.model_spec.signature_name = signature
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


with (
    PredictionServer(repository) as server,
    grpc.insecure_channel(server.address) as channel,
):
    stub = PredictionServiceStub(channel)

    question = GetModelMetadataRequest(metadata_field=["signature_def"])
    question.model_spec.name = "digits"
    metadata = stub.GetModelMetadata(question, timeout=60)
    print("version:", metadata.model_spec.version.value)

    # One seed per row: a row's result then does not depend on its neighbours.
    seeds = np.arange(len(x), dtype="int32")
    response = stub.Predict(request("attack", x=x, seed=seeds), timeout=60)
    remote = tf.make_ndarray(response.outputs["success"])
    print(f"attack over gRPC: {len(remote)} rows, success {remote.mean():.0%}")

    # A bad request is answered, and the server lives on.
    bad = x.copy()
    bad[3, 0, 0, 0] = np.nan
    for name, samples in (("NaN", bad), ("another shape", x[:, :4])):
        try:
            stub.Predict(request("score", x=samples), timeout=60)
        except grpc.RpcError as error:
            reason = error.details().splitlines()[0]
            print(f"{name}: {error.code().name}: {reason}")
    response = stub.Predict(request("score", x=x), timeout=60)
    print("then a good one:", len(tf.make_ndarray(response.outputs["score"])), "scores")

# %% [markdown]
# ## The models of the repository
# [models/](../models/README.md) holds small trained ones, each as it is and retrained
# with UAEs, for the same number of updates. Their error on the test digits:

# %%
shipped = Path("../models")
for name in ("digits_dense", "digits_dense_uae"):
    signatures = tf.saved_model.load(str(shipped / name / "1")).signatures
    outputs = signatures["serving_default"](x=tf.constant(data.x_test))
    mse = np.mean((outputs["reconstruction"].numpy() - data.x_test) ** 2)
    print(f"{name:18} test MSE {1e3 * mse:.2f} ×1e-3")

# %% [markdown]
# One seed, and no control: noise would have done better here, as
# [docs/RESULTS.md](../docs/RESULTS.md) shows and
# [02_augment_in_fit](02_augment_in_fit.ipynb) repeats.
#
# ## MNIST (optional)
# Off by default: a download of 11 MB, once. The attack of these models is MINE.

# %%
FULL_DATA = False

if FULL_DATA:
    digits = uae_tf.datasets.load("mnist").x_test[:64]
    served = tf.saved_model.load(str(shipped / "mnist_conv" / "1"))
    found = served.signatures["attack"](x=tf.constant(digits), seed=tf.constant([0]))
    print(f"success {found['success'].numpy().mean():.0%}")
