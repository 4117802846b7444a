import functools

import keras
import pytest
from matplotlib.figure import Figure

from uae_tf.experiments import augmenters, resumable_run, seed_run
from uae_tf.experiments.pictures import Pictures
from uae_tf.experiments.reconstruction import reconstruct
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.mine import MINE
from uae_tf.training.retrain import Retrained


class Silence:
    """In the place of the progress bars."""

    def start(self, description):
        pass

    def update(self, done, total):
        pass


@pytest.fixture(scope="session", autouse=True)
def uncompiled_critics():
    """Compiling takes longer than the few steps of these attacks do."""
    with pytest.MonkeyPatch.context() as patch:
        uncompiled = functools.partial(MINE, jit_compile=False)
        patch.setattr(augmenters, "MINE", uncompiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def rough_pictures():
    """Fitting texts and axes to each other takes most of a picture's time."""
    save = Figure.savefig

    def rough(self, *arguments, **settings):
        self.set_layout_engine("none")
        save(self, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", rough)
        yield


@pytest.fixture(scope="session")
def full_run(rough_pictures, uncompiled_critics, tmp_path_factory):
    """All arms and two seeds, tiny: results as returned, and their folder."""
    out = tmp_path_factory.mktemp("reconstruct") / "run"
    settings = ReconstructionSettings(samples=64, epochs=1, steps=2, seeds=2)
    return reconstruct(settings, out), out


@pytest.fixture
def no_report(monkeypatch):
    """Leaves out page and figures, which cost more than all else that is tiny."""
    monkeypatch.setattr(resumable_run, "write_report", lambda *_: None)
    monkeypatch.setattr(Pictures, "figures", lambda *_: {})


@pytest.fixture
def instant_training(monkeypatch, no_report):
    """Weights that depend on what training depends on, without the training.

    Gives the list of its calls: the inputs, and the other arguments by name.
    """
    calls = []

    def retrain(factory, x, **arguments):
        calls.append({"x": x, **arguments})
        keras.utils.set_random_seed(arguments["seed"])
        model = factory()
        change = 0.01 * (x.mean() + arguments["updates"])
        model.set_weights([w + change for w in model.get_weights()])
        return Retrained(model, {}, arguments["updates"])

    monkeypatch.setattr(seed_run, "retrain", retrain)
    return calls


@pytest.fixture
def interrupt(monkeypatch):
    """Presses Ctrl-C in the middle of a job, counted from 1; 0 for never."""
    original = seed_run.SeedRun._errors

    def at(job):
        calls = []

        def run(self, *arguments):
            # Every job measures twice: test data and training data.
            calls.append(self)
            if len(calls) == 2 * job and job:
                raise KeyboardInterrupt
            return original(self, *arguments)

        monkeypatch.setattr(seed_run.SeedRun, "_errors", run)

    return at


@pytest.fixture
def errors():
    """Test errors of a run's results, by arm."""
    return lambda results: {
        row["arm"]: row["test_error"]["values"] for row in results["rows"]
    }
