"""The pre-training script from packed file to an encoder under TensorFlow."""

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uae_tf.models import ResNet18, load_weight_parts

SCRIPT = Path(__file__).parents[2] / "recipes" / "simclr_pretrain.py"
SMALL = [
    *("--width", "2", "--batch-size", "32", "--epochs", "2", "--warmup-epochs", "1"),
    *("--knn-every", "1", "--probe-epochs", "2", "--dtype", "float32"),
]


@pytest.fixture
def packed(tmp_path):
    """A file such as `pack` writes, of 64 and 16 random images of two colours."""
    rng, arrays = np.random.default_rng(0), {}
    for split, samples in (("train", 64), ("test", 16)):
        labels = rng.integers(0, 2, samples).astype(np.uint8)
        jpegs = []
        for label in labels:
            pixels = rng.integers(0, 60, (32, 32, 3)).astype(np.uint8)
            pixels[..., label] += 180
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG")
            jpegs.append(buffer.getvalue())
        arrays[f"{split}_bytes"] = np.frombuffer(b"".join(jpegs), np.uint8)
        arrays[f"{split}_ends"] = np.cumsum([len(jpeg) for jpeg in jpegs])
        arrays[f"{split}_labels"] = labels
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    return tmp_path / "packed.npz"


def train(packed, out, *arguments):
    command = ["train", "--data", packed, "--out", out]
    done = subprocess.run(
        [sys.executable, SCRIPT, *command, *SMALL, *arguments],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def recipe(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    monkeypatch.delitem(sys.modules, "resident", raising=False)
    return importlib.import_module("simclr_pretrain")


def test_a_packed_file_is_read_in_order(packed, recipe):
    splits = recipe.unpack(packed, samples=10)
    for images, labels in splits.values():
        assert images.shape == (10, 32, 32, 3)
        assert images.dtype == np.uint8
        brightest = images.mean(axis=(1, 2)).argmax(axis=1)
        np.testing.assert_array_equal(brightest, labels)


def test_the_table_gives_the_images_of_the_indices(recipe):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
    table = recipe.ImageTable(images)
    np.testing.assert_allclose(table(np.int32([3, 0])), images[[3, 0]] / 255.0, 1e-6)


def test_an_epoch_visits_each_index_once_in_an_order_of_its_own(recipe):
    labels = np.arange(10) * 10
    data = recipe.ShuffledIndices(10, 4, seed=1, labels=labels)
    assert len(data) == 2
    first, targets = (np.concatenate(part) for part in zip(*data, strict=True))
    assert len(set(first)) == 8
    np.testing.assert_array_equal(targets, 10 * first)
    data.on_epoch_end()
    assert (data[0][0] != first[:4]).any()
    resumed = recipe.ShuffledIndices(10, 4, seed=1, epoch=1)
    np.testing.assert_array_equal(resumed[0][0], data[0][0])


def test_neighbours_vote_by_their_cosine(recipe):
    rng = np.random.default_rng(0)
    features, test = rng.normal(size=(60, 5)), rng.normal(size=(30, 5))
    labels, test_labels = rng.integers(0, 3, 60), rng.integers(0, 3, 30)
    hits = 0
    for sample, label in zip(test, test_labels, strict=True):
        cosines = features @ sample
        cosines /= np.linalg.norm(features, axis=1) * np.linalg.norm(sample)
        votes = np.zeros(10)
        for neighbour in np.argsort(-cosines)[:7]:
            votes[labels[neighbour]] += np.exp(cosines[neighbour] / 0.1)
        hits += votes.argmax() == label
    got = recipe.knn_accuracy(
        features.astype("float32"), labels, test.astype("float32"), test_labels, 7
    )
    assert got == hits / 30


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stops_in_time_resumes_and_leaves_an_encoder_for_tensorflow(packed, tmp_path):
    # No time at all: one epoch, as the least that is of use.
    rows = train(packed, tmp_path / "first", "--until-seconds", "1")
    assert [row["epoch"] for row in rows] == [1, 1]
    rows = train(packed, tmp_path / "second", "--resume", tmp_path / "first")
    assert [row["epoch"] for row in rows] == [2, 2]
    assert rows[0]["images_per_second"] > 0
    assert np.isfinite(rows[0]["loss"])
    assert 0 <= rows[-1]["probe_test"] <= 1
    assert 0 <= rows[-1]["knn"] <= 1

    encoder = ResNet18(width=2)
    load_weight_parts(encoder.weights, tmp_path / "second", "encoder")
    state = json.loads((tmp_path / "second" / "state.json").read_text())
    assert state["epoch"] == 2
    assert np.abs(encoder.get_layer("stem_norm").moving_mean).max() > 0
    features = encoder(np.random.default_rng(1).random((2, 32, 32, 3), "float32"))
    assert np.isfinite(features).all()
