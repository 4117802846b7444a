"""Runs on Ray. By hand (pytest -m slow): a cluster takes a minute to come and go."""

import os
import threading
import time

import keras
import pytest

from uae_tf import Reconstruction
from uae_tf.generation import GenerationError, generate
from uae_tf.generation.journal import JOURNAL

from .conftest import HERE, SETTINGS, shards

PIPELINE = "generation_samples:pipeline"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:::ray")]


@pytest.fixture(scope="module")
def attack(files):
    pytest.importorskip("ray", reason="needs the extra 'distributed'")
    from generation_samples import SignallingNoise

    return SignallingNoise(0.1, Reconstruction(keras.saving.load_model(files.model)))


@pytest.fixture(scope="module")
def undisturbed(attack, tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    generate(attack, PIPELINE, directory, **SETTINGS)
    return shards(directory)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    repository = HERE.parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{repository}{os.pathsep}{HERE}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


def test_a_ray_of_its_own(attack, undisturbed, tmp_path):
    out = tmp_path / "run"
    done = generate(attack, PIPELINE, out, **SETTINGS, ray="local", workers=2)
    assert done.is_complete
    assert shards(out) == undisturbed


def test_an_actor_is_killed(attack, undisturbed, tmp_path, monkeypatch):
    (tmp_path / "flag").touch()
    monkeypatch.setenv("SIGNAL_AT", f"37:9:{tmp_path / 'flag'}")
    out = tmp_path / "run"
    done = generate(attack, PIPELINE, out, **SETTINGS, ray="local", workers=2)
    assert done.is_complete
    assert not (tmp_path / "flag").exists()
    assert shards(out) == undisturbed


def test_a_node_goes_away(attack, undisturbed, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("SECONDS_PER_BATCH", "1")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    journal, removed = tmp_path / "run" / JOURNAL, []

    def remove():
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
            time.sleep(0.05)
        # In the middle of a shard: each takes two seconds.
        time.sleep(1.0)
        cluster.remove_node(node)
        removed.append(journal.read_bytes().count(b"\n"))

    thread = threading.Thread(target=remove, daemon=True)
    thread.start()
    try:
        done = generate(
            attack,
            PIPELINE,
            tmp_path / "run",
            **SETTINGS,
            ray=cluster.address,
            workers=2,
        )
    finally:
        cluster.shutdown()
    assert removed[0] < 7  # There was work left.
    assert done.is_complete
    assert shards(tmp_path / "run") == undisturbed


def test_no_cluster_at_the_address(attack, tmp_path):
    with pytest.raises(GenerationError, match="No Ray cluster answers"):
        generate(attack, PIPELINE, tmp_path / "run", **SETTINGS, ray="auto")
