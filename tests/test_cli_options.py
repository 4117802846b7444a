"""Every option of a command reaches what it is for."""

import inspect

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from uae_tf import cli, generation
from uae_tf.commands import (
    contrast,
    reconstruct,
    reproduce,
    select,
    semi_supervised,
    supervised,
)
from uae_tf.commands.generate import generate_command
from uae_tf.experiments.contrast import ContrastSettings
from uae_tf.experiments.selection_settings import SelectionSettings
from uae_tf.experiments.semi_supervised import SemiSupervisedSettings
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.experiments.supervised import SupervisedSettings
from uae_tf.generation.status import Status

#: Taken by every experiment.
USUAL = {"data_dir": "there", "samples": 100, "seed": 5}
#: Taken by those that compare arms.
ARMS = {"seeds": 2, "arms": ("original", "duplicated", "mine_uae"), "steps": 7}
ARMS |= {"epochs": 9, "similarity": "gaussian", "similarity_weight": 0.5}
ATTACK = {"preset": "default", "views": "compressive", "bound": "nwj", "copies": 2}
ATTACK |= {"norm": "squared", "target": "clean", "rounds": 3}

RECONSTRUCT = {"dataset": "mnist", "model": "sparse", "recipe": "paper"}
RECONSTRUCT |= {"source_model": "conv", "conventional": ("noise",)}
SELECT = {"dataset": "isolet", "features": 20, "legacy": True, "baselines": False}
CONTRAST = {"dataset": "mnist", "preset": "strong", "recipe_name": "paper"}
CONTRAST |= {"width": 32, "batch_size": 64, "side": 32, "num_views": 6}
CONTRAST |= {"precision": "bfloat16", "tensorboard": True}
FEW_LABELS = {"methods": ("supervised", "vat"), "labels": 40, "updates": 30}
FEW_LABELS |= {"validation": 50, "seeds": 4, "choice_seeds": 2, "labelled_batch": 6}
FEW_LABELS |= {"unlabelled_batch": 60, "epsilon_grid": (0.3, 0.4)}
CIRCLES = {"factor": 0.7, "placement": "random", "lambda_grid": (3.0,)}
IMAGES = {"dataset": "cifar10", "side": 16, "width": 8, "dropout": 0.3}
SUPERVISED = {"table": "quality", "dataset": "cifar10", "classifier": "a.keras"}
SUPERVISED |= {"recipe": "paper", "robust_classifier": "b.keras", "robust_epochs": 3}
SUPERVISED |= {"robust_samples": 70, "extractor": "c.keras", "steps": 11}
SUPERVISED |= {"search_steps": 4, "inner_steps": 2, "marginals": "shuffle"}
SUPERVISED |= {"epsilon": 0.4, "epsilons": (0.2, 0.5), "runs": 3, "projections": 32}
SUPERVISED |= {"chunk": 10}

#: Module of the command, its experiment, settings, and how fields are called there.
EXPERIMENTS = {
    "reconstruct": (
        (reconstruct, "reconstruct", ReconstructionSettings, {}),
        USUAL | ARMS | ATTACK | RECONSTRUCT,
    ),
    "select": (
        (select, "select", SelectionSettings, {}),
        USUAL | ARMS | ATTACK | SELECT,
    ),
    "contrast": (
        (
            contrast,
            "contrast",
            ContrastSettings,
            {"preset": "start", "recipe_name": "preset", "num_views": "views"},
        ),
        USUAL | ARMS | CONTRAST,
    ),
    "semisupervised": (
        (semi_supervised, "semi_supervised", SemiSupervisedSettings, {}),
        USUAL | FEW_LABELS | IMAGES,
    ),
    "supervised": (
        (supervised, "supervised", SupervisedSettings, {}),
        USUAL | SUPERVISED,
    ),
}
#: Of the shell and not of the settings.
OF_RUNS = {"out", "resume", "workers"}
RESULTS = {"rows": [], "settings": {}, "verdict": None, "complete": True}


def invoke(*arguments):
    return CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})


def as_options(values, names):
    """The command line that a user would write for these settings."""
    options = []
    for field, value in values.items():
        name = names.get(field, field).replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{name}" if value else f"--no-{name}")
        elif isinstance(value, tuple):
            options += [f"--{name}", ",".join(map(str, value))]
        else:
            options += [f"--{name}", str(value)]
    return options


def watched(monkeypatch, module, function, results=RESULTS):
    calls = []
    monkeypatch.setattr(module, function, lambda *a: calls.append(a) or results)
    monkeypatch.setattr(module, "show", lambda *_: None)
    return calls


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_every_option_reaches_the_settings(command, monkeypatch, tmp_path):
    (module, function, settings, names), values = EXPERIMENTS[command]
    usual = settings()
    assert all(getattr(usual, name) != value for name, value in values.items())
    calls = watched(monkeypatch, module, function)
    found = invoke(
        command, *as_options(values, names), "--out", str(tmp_path), "--resume"
    )
    assert found.exit_code == 0, found.output
    ((given, out, resume, *_),) = calls
    assert given == settings(**values)
    assert (str(out), resume) == (str(tmp_path), True)


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_no_option_is_left_out_here(command):
    (module, _, _, names), values = EXPERIMENTS[command]
    function = getattr(module, f"{module.__name__.rpartition('.')[2]}_command")
    options = set(inspect.signature(function).parameters) - OF_RUNS
    if command == "semisupervised":
        values = values | CIRCLES | {"noise": None}
    assert {names.get(field, field) for field in values} == options


def test_options_of_the_circles_reach_the_settings(monkeypatch, tmp_path):
    values = USUAL | FEW_LABELS | CIRCLES
    calls = watched(monkeypatch, semi_supervised, "semi_supervised_circles", {})
    options = [*as_options(values, {}), "--noise", "0.01,0.05"]
    found = invoke("semisupervised", *options, "--out", tmp_path, "--workers", "3")
    assert found.exit_code == 0, found.output
    ((given, noises, out, resume, _, workers),) = calls
    assert given == SemiSupervisedSettings(**values)
    assert (noises, str(out), resume, workers) == (
        (0.01, 0.05),
        str(tmp_path),
        False,
        3,
    )


@pytest.fixture
def generated(monkeypatch, tmp_path):
    """What `generate` is called with by the command."""
    calls = []

    def generate(attack, data, directory, **settings):
        calls.append((attack, data, directory, settings))
        return Status(tmp_path, 1, 1, 1, 1, 1, 0, {}, None, False)

    monkeypatch.setattr(generation, "generate", generate)
    return calls


def test_every_option_of_generate_reaches_the_run(generated, tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]).save(
        tmp_path / "my.keras"
    )
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    run = {"shard_size": 8, "batch_size": 4, "sink": "tfrecord", "workers": 2}
    run |= {"ray": "local", "resume": True, "check": "size", "data_dir": "there"}
    attack = {"attack": "gaussian", "preset": "strong", "steps": 3, "norm": "squared"}
    attack |= {"seed": 6}
    places = {"model": tmp_path / "my.keras", "data": tmp_path / "x.npy", "out": "run"}
    options = as_options(places | run | attack, {})
    found = invoke("generate", *options, "--bounds", "-1", "2")
    assert found.exit_code == 0, found.output
    ((made, data, out, settings),) = generated
    assert (str(data), str(out)) == (str(places["data"]), "run")
    assert settings.pop("progress") is False
    assert {**settings, "data_dir": str(settings["data_dir"])} == run
    config = made.get_config()
    expected = {"steps": 3, "seed": 6, "bounds": [-1.0, 2.0], "initial_noise": 0.5}
    assert {name: config[name] for name in expected} == expected
    assert made.criterion.norm == "squared"
    assert "GaussianMI" in str(config["similarity"])
    given = {*places, *run, *attack, "bounds", "status", "verify"}
    assert given == set(inspect.signature(generate_command).parameters)


def test_every_option_of_reproduce_reaches_the_runs(monkeypatch, tmp_path):
    calls = []

    class Watched:
        def __init__(self, *arguments):
            calls.append(arguments)

        def plan(self):
            return []

        def run(self):
            return is_done

    monkeypatch.setattr(reproduce, "Reproduction", Watched)
    (tmp_path / "selection").mkdir()  # Of an earlier call.
    options = {"table": "semi-circles", "scale": "standard", "out": tmp_path}
    options |= {"data_dir": "there", "workers": 3}
    for is_done, code in ((True, 0), (False, 1)):
        found = invoke("reproduce", *as_options(options, {}))
        assert found.exit_code == code, found.output
        assert ("the same command goes on" in found.output) == (not is_done)
        recipes, out, data_dir, _, others, workers = calls.pop()
        told = [(recipe.table, recipe.scale) for recipe in (*recipes, *others)]
        assert told == [("semi-circles", "standard"), ("selection", "standard")]
        assert (len(recipes), out) == (1, tmp_path)
        assert (data_dir, workers) == ("there", 3)
    given = {*options, "recipes", "plan"}
    assert given == set(inspect.signature(reproduce.reproduce_command).parameters)
