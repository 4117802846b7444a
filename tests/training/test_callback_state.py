import contextlib
import functools
import json
import warnings

import keras
import numpy as np
import pytest

from uae_tf.attacks import GaussianNoise
from uae_tf.criteria import Reconstruction
from uae_tf.training import AugmentedDataset, UAECallback
from uae_tf.training.state import fingerprint

EPOCHS = 8
X = np.random.default_rng(0).random((24, 6)).astype("float32")


def small_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    h = keras.layers.Dropout(0.1)(keras.layers.Dense(4, "relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(6, "sigmoid")(h))
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    return model


class CrashError(Exception):
    pass


class Crash(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise CrashError


def train(folder, crash=None, is_first=True, epochs=EPOCHS, **settings):
    """Trains as a new process would, from new objects, with the files of before."""
    settings = {"phase_epochs": 2, "warmup_epochs": 1, "verbose": 0, **settings}
    settings.setdefault("state_path", folder / "state" / "uae.json")
    model = small_model()
    data = AugmentedDataset(X, batch_size=16, seed=3)
    attack = GaussianNoise(0.2, Reconstruction(model, kappa=-0.05))
    ours = UAECallback(data, attack, **settings)
    backup = keras.callbacks.BackupAndRestore(folder / "backup")
    callbacks = [ours, backup] if is_first else [backup, ours]
    if crash is not None:
        callbacks.append(Crash(crash))
    with contextlib.suppress(CrashError):
        model.fit(data, epochs=epochs, callbacks=callbacks, verbose=0)
    return model, ours


@pytest.fixture
def run(tmp_path):
    return functools.partial(train, tmp_path)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that nothing interrupted. The order of callbacks changes nothing in it."""
    return train(tmp_path_factory.mktemp("straight"))


def assert_same_end(straight, resumed):
    for got, expected in zip(
        resumed[0].get_weights(), straight[0].get_weights(), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        resumed[1].data.examples, straight[1].data.examples, rtol=1e-5, atol=1e-6
    )
    got, expected = ([r.epoch for r in ours.history] for _, ours in (resumed, straight))
    assert got == expected


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("crash", [2, 3])
def test_a_resumed_run_ends_as_a_straight_one(run, straight, crash, is_first):
    run(crash=crash, is_first=is_first)
    resumed = run(is_first=is_first)
    assert_same_end(straight, resumed)
    assert [r.epoch for r in resumed[1].history] == [1, 3, 5, 7]


def test_a_plateau_is_counted_across_the_interruption(run, tmp_path):
    settings = {"monitor": "loss", "patience": 2, "monitor_mode": "max"}
    straight = train(tmp_path / "straight", **settings)
    run(crash=2, **settings)
    assert_same_end(straight, run(**settings))
    assert len(straight[1].history) >= 2


def test_a_later_fit_trains_what_it_was_asked_for(run):
    run(crash=3)
    model, ours = run()
    assert model._initial_epoch is None
    history = model.fit(ours.data, epochs=3, callbacks=[ours], verbose=0)
    assert history.epoch == [0, 1, 2]
    assert [record.epoch for record in ours.history] == [1, 3, 5, 7, 9]


def test_a_second_fit_can_be_resumed_too(tmp_path):
    def two_fits(folder, crash=None):
        model, ours = train(folder, epochs=4)
        callbacks = [ours, keras.callbacks.BackupAndRestore(folder / "backup")]
        if crash is None:
            model.fit(ours.data, epochs=4, callbacks=callbacks, verbose=0)
            return model, ours
        with pytest.raises(CrashError):
            model.fit(
                ours.data, epochs=4, callbacks=[*callbacks, Crash(crash)], verbose=0
            )
        return train(folder, epochs=4)

    straight = two_fits(tmp_path / "straight")
    resumed = two_fits(tmp_path / "resumed", crash=2)
    assert_same_end(straight, resumed)
    assert [r.epoch for r in resumed[1].history] == [1, 3, 5, 7]


def test_the_same_objects_can_resume(run, straight, tmp_path):
    model, ours = run(crash=4)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    history = model.fit(ours.data, epochs=EPOCHS, callbacks=[backup, ours], verbose=0)
    assert history.epoch == [4, 5, 6, 7]
    assert_same_end(straight, (model, ours))


def test_a_new_run_ignores_what_an_old_one_left(run, tmp_path):
    run(epochs=4)
    _, ours = run(epochs=2)
    assert [record.epoch for record in ours.history] == [1]
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == ["uae.json", "uae.slots-000001.npz"]


@pytest.mark.parametrize("name", ["uae", "uae[1]"])
def test_two_generations_of_slots_are_kept(run, tmp_path, name):
    run(state_path=tmp_path / "state" / f"{name}.json")
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    expected = [".json", ".slots-000005.npz", ".slots-000007.npz"]
    assert names == [f"{name}{ending}" for ending in expected]
    records = json.loads((tmp_path / "state" / f"{name}.json").read_text())["records"]
    assert [record["epoch"] for record in records] == [1, 3, 5, 7]


def test_an_older_backup_takes_the_slots_of_its_time(run, tmp_path):
    run(epochs=6)
    model, ours = run(epochs=0)
    model.fit(ours.data, initial_epoch=4, epochs=5, callbacks=[ours], verbose=0)
    assert [record.epoch for record in ours.history] == [1, 3]
    assert ours.data.active.any()
    model, ours = run(epochs=0)
    with pytest.raises(ValueError, match=r"at epoch 2: the examples .* are gone"):
        model.fit(ours.data, initial_epoch=2, epochs=5, callbacks=[ours], verbose=0)


def test_other_settings_are_refused(run):
    run(crash=3)
    with pytest.raises(
        ValueError, match=r"(?s)other settings.*mode: 'repl.*'keep' now"
    ):
        run(mode="keep")


def test_labels_and_weights_tell_datasets_apart():
    y, weight = np.arange(24), np.ones(24)
    kinds = [(None, None), (y, None), (y[::-1], None), (y, weight), (y, 2 * weight)]
    prints = [
        json.dumps(fingerprint(AugmentedDataset(X, y, sample_weight=weight)))
        for y, weight in 2 * kinds
    ]
    assert prints[:5] == prints[5:]
    assert len(set(prints)) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"x": X[::-1]},
        {"x": X[:12]},
        {"copies": 2},
        {"batch_size": 7},
        {"target": "clean"},
        {"shuffle": False},
        {"seed": 1},
        {"samples_per_epoch": 5},
    ],
)
def test_what_changes_the_batches_tells_datasets_apart(changes):
    usual = {"x": X}
    assert fingerprint(AugmentedDataset(**usual)) == fingerprint(AugmentedDataset(X))
    assert fingerprint(AugmentedDataset(**usual | changes)) != fingerprint(
        AugmentedDataset(X)
    )


def test_another_attack_or_schedule_is_another_run():
    data = AugmentedDataset(X)
    kinds = [
        {},
        {"attack": GaussianNoise(0.3)},
        {"fraction": 0.5},
        {"failed": "attempt"},
        {"phase_epochs": 3},
        {"monitor": "loss"},
    ]
    usual = {"data": data, "attack": GaussianNoise(0.2)}
    told = [json.dumps(UAECallback(**usual | k)._settings()) for k in kinds]
    assert len(set(told)) == len(kinds)


def test_another_format_is_refused(run, tmp_path):
    run(crash=3)
    path = tmp_path / "state" / "uae.json"
    path.write_text(json.dumps({"format": 0}))
    with pytest.raises(ValueError, match="state file of format 1"):
        run()


def test_a_lost_state_is_told(run, tmp_path):
    run(crash=3)
    (tmp_path / "state" / "uae.json").unlink()
    message = "`fit` begins at epoch 3, but there is no state"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=message)
        with pytest.raises(UserWarning, match=message):
            run()


def test_a_later_start_without_a_state_file_is_fine(run):
    model, ours = run(epochs=0, state_path=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(ours.data, initial_epoch=4, epochs=5, callbacks=[ours], verbose=0)
    assert [record.epoch for record in ours.history] == [4]


@pytest.mark.parametrize("inner", ["uae.json", "deeper/uae.json"])
def test_a_path_inside_the_backup_is_refused(run, tmp_path, inner):
    with pytest.raises(ValueError, match="outside the directory of BackupAndRestore"):
        run(state_path=tmp_path / "backup" / inner, crash=5)
    with pytest.raises(ValueError, match="outside the directory of BackupAndRestore"):
        run(state_path=tmp_path / "backup" / inner)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    data = AugmentedDataset(np.full((4, 2), 0.5))
    settings = {"phase_epochs": 1, "state_path": tmp_path / "uae.json"}
    ours = UAECallback(data, GaussianNoise(0.1), **settings)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=2, callbacks=[ours], verbose=0)
    before = (tmp_path / "uae.json").read_text()

    def full_disk(*arguments, **keywords):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        model.fit(data, initial_epoch=2, epochs=3, callbacks=[ours], verbose=0)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["uae.json", "uae.slots-000001.npz"]
    assert (
        json.loads(before)["records"]
        == json.loads((tmp_path / "uae.json").read_text())["records"]
    )
