import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from filelock import FileLock

from uae_tf import (
    AugmentedDataset,
    GaussianNoise,
    MinMaxAttack,
    PGDAttack,
    Reconstruction,
    TargetedMargin,
)
from uae_tf.attacks.batches import check_samples
from uae_tf.generation import GenerationError, generate, load, status, verify
from uae_tf.generation.dispatch import Died, dispatch
from uae_tf.generation.sources import ArraySource, NpySource
from uae_tf.generation.worker import as_floats, attack_rows

from .conftest import SETTINGS, shards


def test_shards_hold_what_the_attack_gives_and_every_sample_once(
    files, attack, undisturbed, run
):
    done = run()
    assert (done.samples, done.shards, done.is_complete) == (100, 7, True)
    assert shards(run.directory) == undisturbed
    result = load(run.directory)
    expected = attack(np.load(files.x), batch_size=8)
    np.testing.assert_allclose(result.examples, expected.examples, atol=1e-6)
    assert result.success_rate == pytest.approx(done.success_rate)
    ids = [np.load(path)["sample_id"] for path in sorted(run.directory.glob("*.npz"))]
    np.testing.assert_array_equal(np.concatenate(ids), np.arange(100))


def test_a_finished_run_computes_nothing_again(run, monkeypatch):
    run()
    monkeypatch.setattr("uae_tf.generation.worker.ShardWorker.attempt", None)
    assert run(resume=True).is_complete


def test_a_run_that_is_there_needs_resume(run):
    assert run(resume=True).is_complete  # Resume begins where nothing is.
    with pytest.raises(GenerationError, match=r"holds a run already.*--resume"):
        run()


def test_the_journal_of_another_run_is_not_taken_over(run):
    run()
    (run.directory / "manifest.json").unlink()
    with pytest.raises(GenerationError, match=r"journal of a run, but no manifest"):
        run(shard_size=32)
    assert not (run.directory / "manifest.json").exists()


def test_a_model_that_is_there_is_not_overwritten(run, files):
    run.directory.mkdir()
    path = run.directory / "model.keras"
    path.write_bytes(b"somebody's own")
    with pytest.raises(GenerationError, match=r"model\.keras' is there already"):
        run()
    assert path.read_bytes() == b"somebody's own"
    # The same weights in other layers.
    other = keras.saving.load_model(files.model)
    other.name = "another"
    other.save(path)
    with pytest.raises(GenerationError, match=r"model\.keras' is there already"):
        run()
    # The run's own, with what its training needs to go on.
    keras.saving.load_model(files.model).save(path)
    before = path.read_bytes()
    assert run().is_complete
    assert path.read_bytes() == before


def test_half_a_model_is_not_in_the_way_of_a_second_start(run):
    run.directory.mkdir()
    (run.directory / ".model.keras").write_bytes(b"half")
    assert run().is_complete


def test_status_of_a_run_in_work(interrupted):
    found = status(interrupted.directory)
    assert (found.samples, found.shards, found.is_complete) == (48, 3, False)
    assert found.failures == {3: "RuntimeError: stopped here"}
    assert 0.0 < found.success_rate < 1.0
    assert found.seconds_left > 0.0
    assert not found.is_running
    assert "48 of 100 (48.0%), shards 3 of 7" in str(found)
    with FileLock(interrupted.directory / ".lock"):
        assert status(interrupted.directory).is_running


def test_bytes_are_scaled_to_the_bounds(attack, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    generate(attack, x, tmp_path / "bytes", **SETTINGS)
    generate(attack, x.astype(np.float32) / 255, tmp_path / "floats", **SETTINGS)
    examples = [load(tmp_path / name).examples for name in ("bytes", "floats")]
    np.testing.assert_array_equal(*examples)


def test_bytes_stay_within_bounds_that_floats_round():
    x = np.arange(256, dtype=np.uint8)[:, None]
    for low, high in [(0.1, 0.9), (-0.07, 0.29), (-1.7, 2.64)]:
        scaled = as_floats(x, (low, high))
        assert scaled.dtype == np.float32
        check_samples(scaled, (low, high))
        np.testing.assert_allclose(scaled[:, 0], np.linspace(low, high, 256), atol=1e-6)


def test_tfrecords_are_read_in_two_lines(run):
    run(sink="tfrecord")
    features = {"examples": tf.io.FixedLenFeature((8,), tf.float32)}
    kinds = dict.fromkeys(("success", "sample_id"), tf.int64)
    kinds |= dict.fromkeys(("similarity", "criterion", "l2", "linf"), tf.float32)
    features |= {name: tf.io.FixedLenFeature((), kind) for name, kind in kinds.items()}
    # The two lines of docs/how-to/long-runs.md.
    records = tf.data.Dataset.list_files(f"{run.directory}/shard-*", shuffle=False)
    data = tf.data.TFRecordDataset(records).map(
        lambda record: tf.io.parse_single_example(record, features)
    )
    rows = list(data.as_numpy_iterator())
    assert [row["sample_id"] for row in rows] == list(range(100))
    result = load(run.directory)
    for name in features.keys() - {"sample_id"}:
        read = np.stack([row[name] for row in rows])
        np.testing.assert_array_equal(read, getattr(result, name))
    before = shards(run.directory)
    (run.directory / "shard-0000001.tfrecord").unlink()
    run(resume=True, sink="tfrecord")
    assert shards(run.directory) == before


def test_load_as_tf_data_and_into_training(run, files):
    run()
    result, dataset = load(run.directory), load(run.directory, as_tf_data=True)
    assert len(dataset) == 100
    rows = list(dataset.as_numpy_iterator())
    assert [row["sample_id"] for row in rows] == list(range(100))
    np.testing.assert_array_equal([r["examples"] for r in rows], result.examples)
    x = np.load(files.x)
    data = AugmentedDataset(x)
    data.set_examples(result.augmented(x))
    np.testing.assert_array_equal(data.examples[0], result.augmented(x))


def test_an_incomplete_run_is_not_loaded(interrupted):
    with pytest.raises(GenerationError, match="4 of 7 shards are missing"):
        load(interrupted.directory)


def test_an_attack_without_a_model(tmp_path):
    x = np.random.default_rng(0).random((10, 3), np.float32)
    done = generate(GaussianNoise(0.1), x, tmp_path / "run", shard_size=4)
    assert done.success_rate == 1.0
    assert not (tmp_path / "run" / "model.keras").exists()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["sample_ids"] == {"first": 0, "count": 10}
    assert manifest["settings"]["attack"]["config"]["stddev"] == 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shard_size": 0}, "`shard_size` must be"),
        ({"batch_size": -1}, "`batch_size` must be"),
        ({"sink": "csv"}, "`sink` must be one of"),
        ({"check": "none"}, "`check` must be"),
        ({"data": np.zeros((3, 8), np.int64)}, "floating point or 8-bit"),
        ({"data": np.zeros((0, 8), np.float32)}, "no samples"),
        ({"data": np.full((3, 8), 2.0, np.float32)}, "outside bounds"),
        ({"data": np.zeros((3, 7), np.float32)}, "does not fit the model"),
        ({"data": np.zeros((3, 8), np.float32), "workers": 2}, r"numpy\.save"),
    ],
)
def test_bad_settings_come_before_any_work(run, settings, message):
    with pytest.raises(ValueError, match=message):
        run(**settings)
    assert not (run.directory / "manifest.json").exists()


@pytest.mark.parametrize(
    "data", [[[0.5] * 8], tf.zeros((2, 8)), tf.data.Dataset.from_tensors([0.5] * 8)]
)
def test_data_of_another_kind_is_named_with_what_to_pass(run, data):
    with pytest.raises(TypeError, match=f"Received: {type(data).__name__}.*module:fun"):
        run(data=data)
    assert not run.directory.exists()


@keras.saving.register_keras_serializable("tests")
class Drawn(keras.layers.Layer):
    """The code of a variational autoencoder; its seed is Keras's to choose."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs):
        shape = keras.ops.shape(inputs)
        return inputs + keras.random.normal(shape, seed=self.seed_generator)


def test_a_model_that_draws_gives_the_same_files_in_every_process(files, tmp_path):
    layers = [keras.Input((8,)), keras.layers.Dense(3), Drawn(), keras.layers.Dense(8)]
    attack = MinMaxAttack(Reconstruction(keras.Sequential(layers)), None, steps=2)
    for name in ("one", "two"):
        # Each loads the file anew, as a worker or a resumed run does.
        generate(
            attack, np.load(files.x), tmp_path / name, shard_size=64, batch_size=24
        )
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    # The draw of a sample depends on its place in the batch, where `verify` looks too.
    model = tmp_path / "one" / "model.keras"
    found = verify(tmp_path / "two", model, np.load(files.x), samples=10)
    assert (found.reevaluated, found.is_sound) == (10, True), str(found)


def test_a_broken_sample_does_not_spoil_targets(tmp_path):
    """What stands in for it has its target too, which its class must not be."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    black = 1
    model.layers[0].bias.assign([0.0, 0.01])
    x = np.random.default_rng(0).random((200, 8), dtype="float32")
    x = x[model.predict(x, verbose=0).argmax(axis=1) != black][:6]
    x[2] = np.nan
    attack = PGDAttack(TargetedMargin(model), epsilon=0.5, steps=2)
    result = attack_rows(attack, x, np.full(6, black), range(6), 4)
    assert result.is_finite.tolist() == [True, True, False, True, True, True]
    alone = attack_rows(attack, x[3:], np.full(3, black), range(3, 6), 4)
    np.testing.assert_allclose(result.examples[3:], alone.examples, atol=1e-6)
    # Nor does a shard fail that holds nothing else.
    broken = attack_rows(attack, x[2:3], np.full(1, black), range(2, 3), 4)
    assert not broken.success.any()
    assert not broken.is_finite.any()
    assert np.isnan([broken.examples[0, 0], broken.criterion[0], broken.l2[0]]).all()


def test_what_is_open_here_is_not_shared(run, files):
    with pytest.raises(GenerationError, match=r"by its name.*Received: NpySource"):
        run(data=NpySource(files.x), workers=2)
    with pytest.raises(GenerationError, match="Received: ndarray"):
        run(data=np.load(files.x), workers=2)


@pytest.mark.parametrize("given", ["sets", None])
def test_workers_anywhere_are_told_where_prepared_sets_lie(
    given, tmp_path, monkeypatch
):
    def pool(job, *others):
        raise GenerationError(f"workers look in {job.data_dir}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", "sets")
    monkeypatch.setattr("uae_tf.generation.run.LocalPool", pool)
    with pytest.raises(GenerationError, match=f"look in {tmp_path / 'sets'}$"):
        generate(GaussianNoise(0.1), "digits", "run", workers=1, data_dir=given)


def test_workers_that_never_begin_are_told_of_with_their_causes():
    class Dying:
        size, closed = 2, False

        def start(self):
            return object()

        def wait(self, members):
            return [(member, Died()) for member in members]

        def close(self):
            self.closed = True

    pool = Dying()
    with pytest.raises(GenerationError, match=r"7 workers in a row.*__main__"):
        list(dispatch(pool, range(5), lambda: False))
    assert pool.closed


def test_nan_in_some_samples(run, files, undisturbed):
    x, clean = np.load(files.x), np.ones(100, bool)
    x[[3, 40]] = np.nan
    x[41, 2] = np.inf
    clean[[3, 40, 41]] = False
    assert run(data=ArraySource(x)).not_finite == 3
    result = load(run.directory)
    np.testing.assert_array_equal(result.is_finite, clean)
    assert not result.success[~clean].any()
    assert np.isnan(result.criterion[~clean]).all()
    np.testing.assert_array_equal(result.examples[~clean], x[~clean])
    # Their neighbours are what they are beside sound samples.
    sound = run.directory.parent / "sound.npz"
    for number in (0, 2):
        sound.write_bytes(undisturbed[f"shard-000000{number}.npz"])
        rows = np.arange(number * 16, number * 16 + 16)
        kept = clean[rows]
        expected = np.load(sound)["examples"][kept]
        np.testing.assert_array_equal(result.examples[rows][kept], expected)
