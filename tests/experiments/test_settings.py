import dataclasses
import json
import math

import numpy as np
import pytest

from uae_tf.experiments import resumable_run
from uae_tf.experiments.reconstruction import reconstruct
from uae_tf.experiments.settings import ARMS, EXTRA_ARMS, ReconstructionSettings

WRONG = [
    ("model", "dens", "`model` must be one of: dense, sparse.*'dens'"),
    ("recipe", "old", "`recipe` must be one of: paper, modern.*'old'"),
    ("preset", "weak", "`preset` must be one of: default, paper.*'weak'"),
    ("similarity", "l2", "`similarity` must be one of: mine, gaussian.*'l2'"),
    ("norm", "l1", "`norm` must be one of: l2, squared.*'l1'"),
    ("target", "x", "`target` must be one of: self, clean.*'x'"),
    ("source_model", "vae", "`source_model` must be one of: None, dense.*'vae'"),
    ("arms", ("mine",), "`arms` must be one of: original, .*'mine'"),
    ("arms", (), "`arms` is empty.*original"),
    ("arms", ("original", "original"), "`arms` names one twice"),
    ("conventional", ("crop",), "`conventional` must be one of: flip.*'crop'"),
    ("conventional", (), "`conventional` is empty.*flip"),
    ("conventional", ("flip", "flip"), "`conventional` names one twice"),
    ("samples", 0, "`samples` must be a whole number, at least 1.*0"),
    ("epochs", -1, "`epochs` must be a whole number, at least 1.*-1"),
    ("epochs", 2.5, "`epochs` must be a whole number.*2.5"),
    ("seeds", None, "`seeds` must be a whole number.*None"),
    ("steps", "40", "`steps` must be a whole number.*'40'"),
    ("copies", 0, "`copies` must be a whole number"),
    ("rounds", 0, "`rounds` must be a whole number"),
    ("seed", -1, "`seed` must be a whole number, at least 0.*-1"),
    ("seed", 2**32 - 2, r"`seed` must be below 2\*\*32.*all 3 .*4294967294"),
    ("epochs", True, "`epochs` must be a whole number.*True"),
    ("epochs", np.float64(3), "`epochs` must be a whole number.*3.0"),
    ("similarity_weight", math.nan, "`similarity_weight` must be a finite.*nan"),
    ("similarity_weight", math.inf, "`similarity_weight` must be a finite.*inf"),
    ("views", "random", "`views` must be one of .*compressive.*random"),
    ("bound", "jsd", "`bound` must be one of .*nwj.*jsd"),
]


@pytest.mark.parametrize(
    ("name", "value", "message"), WRONG, ids=[f"{n}={v}" for n, v, _ in WRONG]
)
def test_a_wrong_setting_says_what_came_and_what_may_come(name, value, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionSettings(**{name: value})


def test_the_default_arms_are_known_and_in_order():
    settings = ReconstructionSettings()
    assert settings.arms == ARMS
    assert not set(ARMS) & set(EXTRA_ARMS)
    assert ReconstructionSettings(arms=ARMS + EXTRA_ARMS).arms[-2:] == EXTRA_ARMS


def test_whole_numbers_of_numpy_are_plain_ones():
    settings = ReconstructionSettings(epochs=np.int64(3), seed=np.uint32(2**32 - 3))
    assert settings == ReconstructionSettings(epochs=3, seed=2**32 - 3)
    assert type(settings.epochs) is type(settings.seed) is int


def test_copies_add_up_over_rounds():
    assert ReconstructionSettings(copies=2, rounds=3).num_copies == 6


def test_settings_survive_json():
    settings = ReconstructionSettings(samples=64, source_model="sparse")
    loaded = json.loads(json.dumps(settings.to_dict()))
    loaded |= {name: tuple(loaded[name]) for name in ("arms", "conventional")}
    assert ReconstructionSettings(**loaded) == settings


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("training began")

    monkeypatch.setattr("uae_tf.experiments.seed_run.retrain", refuse)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dataset": "digit"}, ValueError, "Unknown data set.*'digit'.*digits"),
        ({"samples": 5000}, ValueError, "samples=5000 .* holds 1437"),
        ({"samples": 1}, ValueError, r"gaussian_tuned.*two or more"),
        (
            {"dataset": "mnist", "data_dir": "/nowhere"},
            (FileNotFoundError, ValueError),
            "mnist",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    changes, error, message, tmp_path, no_training, monkeypatch
):
    # No attempt to fetch what is not prepared.
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    settings = dataclasses.replace(ReconstructionSettings(), **changes)
    with pytest.raises(error, match=message):
        reconstruct(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path, no_training):
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below"):
        with pytest.raises(ValueError, match=r"`out` must be a folder.*is a file"):
            reconstruct(ReconstructionSettings(), out)
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_to(tmp_path, no_training, monkeypatch):
    # The user of a container may write everywhere, so the system is asked in play.
    monkeypatch.setattr(resumable_run.os, "access", lambda *_: False)
    with pytest.raises(ValueError, match=r"`out` .* write to.*read-only"):
        reconstruct(ReconstructionSettings(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
