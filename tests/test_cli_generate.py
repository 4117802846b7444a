import inspect
import re

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from uae_tf import cli
from uae_tf.commands.generate import generate_command
from uae_tf.generation import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8,)), keras.layers.Dense(8, "sigmoid")]
    keras.Sequential(layers).save(folder / "my.keras")
    np.save(folder / "x.npy", np.random.default_rng(0).random((20, 8), np.float32))
    return folder


def invoke(*arguments):
    arguments = ["generate", *map(str, arguments)]
    return CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})


def test_generate_status_verify(folder):
    options = ["--model", folder / "my.keras", "--data", folder / "x.npy"]
    settings = ["--attack", "gaussian", "--steps", "2", "--shard-size", "8"]
    made = invoke(*options, "--out", folder / "run", *settings)
    assert made.exit_code == 0, made.output
    assert "run: complete" in made.stdout
    assert len(load(folder / "run")) == 20
    told = invoke("--status", folder / "run")
    assert told.stdout == made.stdout
    checked = invoke("--verify", folder / "run", *options)
    assert checked.exit_code == 0
    assert "f evaluated again on 20 samples" in checked.stdout
    (folder / "run" / "shard-0000000.npz").unlink()
    assert invoke("--verify", folder / "run").exit_code == 1


def test_what_is_missing_is_named(folder):
    found = invoke("--model", folder / "my.keras")
    assert "--data, --out missing" in str(found.exception)
    options = ["--model", folder / "my.keras", "--data", folder / "x.npy"]
    found = invoke(*options, "--out", folder / "none", "--attack", "none")
    assert "leaves nothing to generate" in str(found.exception)


def test_help_names_every_option():
    text = re.sub(r"\x1b\[[0-9;]*m", "", invoke("--help").output)
    for name in inspect.signature(generate_command).parameters:
        assert f"--{name.replace('_', '-')}" in text
