import inspect
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import uae_tf
from uae_tf import cli
from uae_tf.commands import attacks
from uae_tf.mine import L2Similarity

WIDE = {"COLUMNS": "200"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8,)), keras.layers.Dense(8, "sigmoid")]
    path = tmp_path_factory.mktemp("keras") / "my_model.keras"
    keras.Sequential(layers).save(path)
    return path


def invoke(*arguments):
    return CliRunner().invoke(cli.app, ["export", *map(str, arguments)], env=WIDE)


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["uae-tf", "export", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code


def test_a_saved_model_is_exported_under_the_name_of_its_file(saved, tmp_path):
    (tmp_path / "card.json").write_text('{"data": "noise", "metrics": {"mse": 1}}')
    found = invoke(saved, tmp_path / "models", "--card", tmp_path / "card.json")
    assert found.exit_code == 0, found.output
    path = tmp_path / "models" / "my_model" / "1"
    assert found.stdout == f"{path}\n"
    card = json.loads((path / "card.json").read_text())
    assert (card["data"], card["metrics"]) == ("noise", {"mse": 1})
    assert card["attack"] is None


def test_bounds_hold_without_an_attack_and_a_norm_needs_one(saved, tmp_path):
    assert invoke(saved, tmp_path, "--bounds", "-1", "1").exit_code == 0
    card = json.loads((tmp_path / "my_model/1/card.json").read_text())
    assert card["model"]["bounds"] == [-1.0, 1.0]
    refused = invoke(saved, tmp_path, "--norm", "squared")
    assert "Give --attack as well" in str(refused.exception)


def test_the_attack_is_the_one_asked_for(saved, tmp_path):
    options = ["--attack", "gaussian", "--preset", "strong", "--norm", "squared"]
    options += ["--steps", "2", "--bounds", "-1", "2", "--name", "a", "--version", "7"]
    found = invoke(saved, tmp_path, *options, "--server-directory", "/srv")
    assert found.exit_code == 0, found.output
    assert "/srv/a" in (tmp_path / "models.config").read_text()
    model = keras.saving.load_model(saved)
    attack = uae_tf.MinMaxAttack.from_preset(
        "strong",
        uae_tf.Reconstruction(model, norm="squared"),
        uae_tf.GaussianMI(),
        steps=2,
        bounds=(-1.0, 2.0),
    )
    described = json.loads((tmp_path / "a/7/card.json").read_text())["attack"]
    assert described == {"class": "MinMaxAttack", **attack.get_config()}
    x = np.random.default_rng(0).random((3, 8)).astype(np.float32)
    loaded = tf.saved_model.load(str(tmp_path / "a/7"))
    answer = loaded.signatures["attack"](x=tf.constant(x), seed=tf.constant([0]))
    np.testing.assert_allclose(answer["examples"], attack(x).examples, atol=1e-6)


@pytest.mark.parametrize("name", attacks.AttackName)
def test_every_attack_can_be_chosen(saved, name):
    model = keras.saving.load_model(saved)
    attack = attacks.build_attack(model, name, "default", "l2", steps=3)
    assert (attack is None) == (name == "none")
    kinds = {"mine": uae_tf.MINE, "gaussian": uae_tf.GaussianMI}
    kinds |= {"l2": L2Similarity, "criterion": type(None)}
    assert attack is None or type(attack.similarity) is kinds[name]


def test_help_names_every_option():
    text = re.sub(r"\x1b\[[0-9;]*m", "", invoke("--help").output)
    for name in inspect.signature(cli.export_command).parameters:
        assert name in text or f"--{name.replace('_', '-')}" in text
    assert "uae-tf export my.keras --attack gaussian" in " ".join(text.split())


def test_errors_are_one_line(saved, tmp_path, monkeypatch, capsys):
    invoke(saved, tmp_path, "--version", "1")
    for arguments, message in (
        ((saved, tmp_path, "--version", "1"), "`version` 1 of 'my_model' is already"),
        ((tmp_path / "no.keras", tmp_path), "File not found"),
        ((saved, tmp_path, "--name", "../a"), "`name` must be of letters"),
    ):
        assert run_main(monkeypatch, *arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"Error: {message}")
