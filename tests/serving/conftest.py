"""One exported repository, and the questions every kind of server is asked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

import uae_tf

HERE = Path(__file__).parent
#: Bad requests, and what their errors must say.
REFUSED = {
    "other shape": ("half", "`x` must have the shape (batch, 8, 8, 1)"),
    "other shape of equal size": ("folded", "`x` must have the shape (batch, 8, 8, 1)"),
    "another axis": ("extra", "`x` must have the shape (batch, 8, 8, 1)"),
    "no rows": ("empty", "`x` must have at least one row"),
    "NaN": ("nan", "`x` has NaN or infinite values in row"),
}


def signature_defs(path):
    """Signatures of a SavedModel, without loading it."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((path / "saved_model.pb").read_bytes())
    return model.meta_graphs[0].signature_def


def tensor_names(path):
    """Signature -> inputs and outputs -> name -> name of the tensor."""
    return {
        key: {
            "inputs": {name: info.name for name, info in signature.inputs.items()},
            "outputs": {name: info.name for name, info in signature.outputs.items()},
        }
        for key, signature in signature_defs(path).items()
    }


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """An exported convolutional autoencoder with its attack.

    Attributes: ``directory`` of the repository, ``path`` of the version, ``model``,
    ``attack``, ``arrays`` to ask with, and the ``expected`` answers, as Keras and the
    attack in Python give them: "signature/output" -> array.
    """
    keras.utils.set_random_seed(0)
    model = uae_tf.models.ConvolutionalAutoencoder((8, 8, 1), name="tiny")
    mine = uae_tf.MINE(inner_steps=2, warmup_steps=4, jit_compile=False)
    attack = uae_tf.MinMaxAttack(
        uae_tf.Reconstruction(model), mine, steps=3, initial_noise=0.3, seed=7
    )
    directory = tmp_path_factory.mktemp("repository") / "models"
    path = uae_tf.export(model, directory, name="tiny", attack=attack)
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    x = bytes_.astype(np.float32) / np.float32(255.0)
    arrays = {"x": x, "bytes": bytes_, "seed": np.array([7], np.int32)}
    arrays |= {"half": x[:, :4], "folded": x.reshape(5, 4, 16, 1), "empty": x[:0]}
    arrays["extra"] = np.repeat(x[..., None], 3, axis=-1)
    arrays["nan"] = np.where(np.arange(5).reshape(5, 1, 1, 1) == 3, np.nan, x)
    result = attack(x)
    expected = {
        "serving_default/reconstruction": np.asarray(model(x)),
        "encode/code": np.asarray(model.encoder(x)),
        "score/score": np.linalg.norm((x - model(x)).numpy().reshape(5, -1), axis=1),
        "attack/examples": result.examples,
        "attack/success": result.success,
        "attack/similarity": result.similarity,
    }
    return SimpleNamespace(
        directory=directory,
        path=path,
        model=model,
        attack=attack,
        arrays=arrays,
        expected=expected,
    )


@pytest.fixture(scope="session")
def requests(served):
    """Good, then bad, then good requests: "key" -> signature and names of arrays."""
    found = {}
    for key in dict.fromkeys(name.split("/")[0] for name in served.expected):
        seed = {"seed": "seed"} if key == "attack" else {}
        for suffix, x in (("", "x"), ("_uint8", "bytes")):
            inputs = {"x": x, **seed}
            found[key + suffix] = {"signature": key + suffix, "inputs": inputs}
        for name, (array, _) in REFUSED.items():
            inputs = {"x": array, **seed}
            found[f"{key}: {name}"] = {"signature": key, "inputs": inputs}
    found["once more"] = found["serving_default"]
    return found


@pytest.fixture(scope="session")
def ask(served, requests, tmp_path_factory):
    """Asks a program, in a process of its own; gives its answers and its report."""

    def run(program):
        folder = tmp_path_factory.mktemp("asked")
        np.savez(folder / "arrays.npz", **served.arrays)
        order = {
            "directory": str(served.path),
            "signatures": tensor_names(served.path),
            "requests": requests,
        }
        (folder / "requests.json").write_text(json.dumps(order))
        done = subprocess.run(
            [sys.executable, HERE / program, folder],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads((folder / "answers.json").read_text())
        return dict(np.load(folder / "answers.npz")), report

    return run


@pytest.fixture(scope="session")
def check_answers(served, requests):
    """Compares answers and errors to all requests with what Keras gives."""

    def check(answers, errors):
        for name, array in served.expected.items():
            key, output = name.split("/")
            for form in (key, key + "_uint8"):
                got = answers.pop(f"{form}/{output}")
                assert got.dtype == array.dtype
                np.testing.assert_allclose(got, array, rtol=0, atol=1e-6, err_msg=form)
        # After all that was refused, the server lives.
        again = answers.pop("once more/reconstruction")
        expected = served.expected["serving_default/reconstruction"]
        np.testing.assert_allclose(again, expected, rtol=0, atol=1e-6)
        assert not answers
        refused = [key for key in requests if ": " in key]
        assert sorted(errors) == sorted(refused)
        for key in refused:
            assert REFUSED[key.split(": ")[1]][1] in errors[key]

    return check
