"""A small model, 100 samples of it, and a run of them that nothing disturbed."""

import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from uae_tf import GaussianMI, MinMaxAttack, Reconstruction
from uae_tf.generation import GenerationError, generate
from uae_tf.generation.sources import NpySource

HERE = Path(__file__).parent
SETTINGS = {"shard_size": 16, "batch_size": 8}


@pytest.fixture(scope="session", autouse=True)
def importable():
    """Lets `module:function` be found here, and in processes that are spawned."""
    sys.path.append(str(HERE))
    yield
    sys.path.remove(str(HERE))


@pytest.fixture(scope="session")
def files(tmp_path_factory, importable):
    """Model and samples on disk."""
    import generation_samples

    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8,)), keras.layers.Dense(8, "sigmoid")]
    keras.Sequential(layers).save(folder / "model.keras")
    np.save(folder / "x.npy", generation_samples.x)
    return SimpleNamespace(model=folder / "model.keras", x=folder / "x.npy")


@pytest.fixture(scope="session")
def attack(files):
    model = keras.saving.load_model(files.model)
    return MinMaxAttack(Reconstruction(model), GaussianMI(), steps=3)


@pytest.fixture(scope="session")
def undisturbed(files, attack, tmp_path_factory):
    """The bytes of each shard of a run in one go."""
    directory = tmp_path_factory.mktemp("undisturbed")
    assert generate(attack, files.x, directory, **SETTINGS).is_complete
    return shards(directory)


@pytest.fixture
def run(files, attack, tmp_path):
    """Starts or resumes a run in a directory of the test's own."""

    def start(resume=False, data=None, **settings):
        settings = {**SETTINGS, "resume": resume, **settings}
        data = files.x if data is None else data
        return generate(attack, data, tmp_path / "run", **settings)

    start.directory = tmp_path / "run"
    return start


def shards(directory):
    """Name -> bytes of every shard."""
    return {path.name: path.read_bytes() for path in Path(directory).glob("shard-*")}


@pytest.fixture
def interrupted(run, monkeypatch):
    """A run that stopped after three of seven shards."""
    read = NpySource.read

    def stop(self, start, stop):
        if start == 48:
            raise RuntimeError("stopped here")
        return read(self, start, stop)

    with monkeypatch.context() as patch:
        patch.setattr(NpySource, "read", stop)
        patch.setattr("uae_tf.generation.run.MAX_FAILURES", 1)
        with pytest.raises(GenerationError, match=r"shard 3: RuntimeError: stopped"):
            run()
    return run
