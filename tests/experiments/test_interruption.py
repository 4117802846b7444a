import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from uae_tf.experiments.reconstruction import reconstruct
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.experiments.storage import read_json

ARMS = ("original", "gaussian_0.01", "mine_uae")
TINY = {"samples": 64, "epochs": 1, "steps": 2, "similarity": "gaussian"}


def settings(**changes):
    return ReconstructionSettings(**{**TINY, "arms": ARMS, "seeds": 2, **changes})


@pytest.fixture
def interrupted(tmp_path, interrupt, instant_training):
    """A folder with the first job of a run done."""
    interrupt(2)
    results = reconstruct(settings(arms=("original", "duplicated")), tmp_path)
    assert not results["complete"]
    interrupt(0)
    return tmp_path


def test_an_unfinished_run_is_not_overwritten(interrupted):
    with pytest.raises(ValueError, match=r"unfinished run.*--resume.*--out"):
        reconstruct(settings(), interrupted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 2}, "epochs: saved 1, requested 2"),
        # Unset means the recipe's: other settings too, if the run had its own.
        ({"epochs": None}, "epochs: saved 1, requested 20"),
        ({"samples": None}, "samples: saved 64, requested 1437"),
        ({"model": "sparse"}, 'model: saved "dense", requested "sparse"'),
    ],
)
def test_other_settings_are_refused_with_both_sides(interrupted, changes, message):
    before = (interrupted / "results.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        reconstruct(settings(**changes), interrupted, resume=True)
    assert (interrupted / "results.json").read_bytes() == before


def test_seeds_and_arms_may_differ(interrupted, errors):
    more = settings(arms=("original", "gaussian_0.01"), seeds=3)
    results = reconstruct(more, interrupted, resume=True)
    expected = errors(reconstruct(more, interrupted / "straight"))
    assert errors(results) == expected
    fewer = reconstruct(settings(arms=more.arms, seeds=1), interrupted, resume=True)
    assert errors(fewer) == {arm: expected[arm][:1] for arm in more.arms}
    assert len(fewer["verdict"] or {}) == 0


def test_the_folder_of_the_data_may_have_moved(interrupted):
    moved = settings(data_dir=str(interrupted / "data"))
    results = reconstruct(moved, interrupted, resume=True)
    assert results["complete"]
    assert "data_dir" not in results["settings"]


def test_a_new_run_takes_nothing_from_an_old_one(tmp_path, instant_training, errors):
    old, new = tmp_path / "old", tmp_path / "new"
    reconstruct(settings(epochs=3, arms=("original", "start_noise")), old)
    assert (old / "originals" / "original-dense-1.npz").exists()
    wanted = settings(arms=ARMS[:2], seeds=1)
    assert errors(reconstruct(wanted, old)) == errors(reconstruct(wanted, new))
    with np.load(old / "figures.npz") as pictures:
        assert pictures.files == ["change/gaussian_0.01"]


@pytest.mark.parametrize("content", ['{"experiment": "select"}', "{}", '{"settings":'])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=r"results\.json .*not"):
        reconstruct(settings(), tmp_path, resume=True)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        '{"experiment": "reconstruct", "settings": {}, "runs": [], "tuning": {}}',
        '{"experiment": "reconstruct", "settings": [], "runs": {}, "tuning": {}}',
        # As `reproduce` writes it.
        '{"experiment": "reproduce", "runs": [{"table": "mnist"}], "complete": true}',
        # Of the user's own.
        '{"accuracy": 0.9, "complete": true}',
        '{"experiment": "baseline", "accuracy": 0.9}',
    ],
)
def test_results_of_something_else_are_not_replaced(tmp_path, content, resume):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=r"does not hold a run of `reconstruct`"):
        reconstruct(settings(), tmp_path, resume=resume)


def test_damaged_weights_are_named(interrupted):
    path = interrupted / "originals" / "original-dense-0.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"original-dense-0\.npz is damaged.*Remove"):
        reconstruct(settings(), interrupted, resume=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT between processes")
def test_a_real_sigint(tmp_path):
    command = [sys.executable, "-m", "uae_tf.cli", "reconstruct", "--samples", "64"]
    command += ["--epochs", "1", "--seeds", "50", "--out", str(tmp_path)]
    command += ["--arms", "original,duplicated"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        # A suite in the background, such as under nohup, has its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 300
    path = tmp_path / "results.json"
    while not (path.exists() and read_json(path)["rows"]):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "--resume" in output
    saved = read_json(path)
    assert saved["complete"] is False
    assert 0 < len(saved["runs"]["original"]) < 50
    assert (tmp_path / "report.html").exists()
