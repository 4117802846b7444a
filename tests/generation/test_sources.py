import gzip

import keras
import numpy as np
import pytest
import tensorflow as tf

from uae_tf.datasets import images
from uae_tf.generation import GenerationError, open_source
from uae_tf.generation.sources import ArraySource, address
from uae_tf.generation.sources import source as sources

X = np.random.default_rng(0).random((10, 4, 4, 1), np.float32)
BYTES = (X * 255).astype(np.uint8)


def write_images(folder, count=10):
    for number in range(count):
        path = folder / f"{number // 5}" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(tf.io.encode_png(BYTES[number]).numpy())


def write_records(path, feature, encode):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in BYTES if feature == "image" else X:
            content = tf.train.BytesList(value=[encode(tf.constant(row)).numpy()])
            features = {feature: tf.train.Feature(bytes_list=content)}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def make(kind, folder):
    """A source of the kind, and the samples it must give."""
    if kind == "npy":
        np.save(folder / "x.npy", X)
        return folder / "x.npy", X
    if kind == "npz":
        np.savez(folder / "x.npz", x=X, y=np.arange(10))
        return folder / "x.npz", X
    if kind == "images":
        write_images(folder / "images")
        return folder / "images", BYTES
    if kind == "tfrecord images":
        write_records(folder / "a.tfrecord", "image", tf.io.encode_png)
        return folder, BYTES
    write_records(folder / "a.tfrecord", "x", tf.io.serialize_tensor)
    return folder / "a.tfrecord", X


KINDS = ("npy", "npz", "images", "tfrecord images", "tfrecord tensors")


@pytest.mark.parametrize("kind", KINDS)
def test_ranges_in_any_order_are_those_samples(kind, tmp_path):
    path, expected = make(kind, tmp_path)
    source = open_source(path)
    assert source.count == 10
    for start, stop in ((0, 4), (4, 6), (8, 10), (2, 3), (2, 3)):
        x, y = source.read(start, stop)
        np.testing.assert_array_equal(x, expected[start:stop])
        assert x.dtype == expected.dtype
        if kind == "npz":
            np.testing.assert_array_equal(y, np.arange(start, stop))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fingerprint_is_of_the_content(kind, tmp_path, monkeypatch):
    prints = []
    for name in "abc":
        (tmp_path / name).mkdir()
        if name == "c":
            monkeypatch.setitem(globals(), "X", X[::-1])
            monkeypatch.setitem(globals(), "BYTES", BYTES[::-1])
        prints.append(open_source(make(kind, tmp_path / name)[0]).fingerprint())
    assert prints[0] == prints[1] != prints[2]


def test_a_fingerprint_is_of_the_labels_too(importable, monkeypatch):
    import generation_samples

    def of_pipeline(y):
        rows = tf.data.Dataset.from_tensor_slices((X, y))
        monkeypatch.setattr(generation_samples, "pipeline", lambda: rows)
        return open_source("generation_samples:pipeline").fingerprint()

    def of_array(y):
        return ArraySource(X, y).fingerprint()

    for fingerprint in (of_pipeline, of_array):
        first, again, other = map(fingerprint, (np.arange(10),) * 2 + (np.ones(10),))
        assert first == again != other


def test_a_fingerprint_of_images_is_of_their_order(tmp_path):
    write_images(tmp_path, 1)
    before = open_source(tmp_path).fingerprint()
    (tmp_path / "0" / "000.png").rename(tmp_path / "0" / "001.png")
    assert open_source(tmp_path).fingerprint() != before


def test_large_files_are_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_BLOCK", 10)
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_bytes(bytes(1000))
    paths[1].write_bytes(bytes(1000))
    before = sources.hash_files(paths, limit=200)
    paths[1].write_bytes(bytes(1) + bytes([1]) * 999)
    assert sources.hash_files(paths, limit=200) != before
    assert sources.hash_files(paths[:1], limit=2000) != before


def test_only_the_range_is_read_of_a_mapped_file(tmp_path):
    # A hole of 40 GB, which takes no room on disk and would not fit into memory.
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**4)}
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * 10**10)
    source = open_source(tmp_path / "x.npy")
    x, _ = source.read(999_990, 999_992)
    assert (x.shape, x.base, source.count) == ((2, 10**4), None, 10**6)


def test_a_pipeline_may_have_labels_and_no_known_length(importable, monkeypatch):
    import generation_samples

    rows = tf.data.Dataset.from_tensor_slices((X, np.arange(10)))
    for dataset in (rows, rows.filter(lambda x, y: True)):
        monkeypatch.setattr(generation_samples, "pipeline", lambda d=dataset: d)
        source = open_source("generation_samples:pipeline")
        x, y = source.read(3, 5)
        np.testing.assert_array_equal(x, X[3:5])
        np.testing.assert_array_equal(y, [3, 4])
        assert source.count == 10
    monkeypatch.setattr(generation_samples, "pipeline", lambda: rows.repeat())
    with pytest.raises(GenerationError, match="repeats for ever"):
        open_source("generation_samples:pipeline")
    for wrong in (
        rows.map(lambda x, y: {"image": x}),
        rows.map(lambda x, y: (x, y, y)),
    ):
        monkeypatch.setattr(generation_samples, "pipeline", lambda d=wrong: d)
        with pytest.raises(GenerationError, match=r"Received: elements of structure"):
            open_source("generation_samples:pipeline")
    monkeypatch.setattr(generation_samples, "pipeline", lambda: X)
    with pytest.raises(GenerationError, match=r"must return a tf\.data\.Dataset"):
        open_source("generation_samples:pipeline")


def test_a_folder_without_samples_does_not_hide_the_set_of_its_name(
    digits, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "digits"
    (folder / "3.0.1").mkdir(parents=True)
    # As TFDS has it, and then that of a run by `--data digits --out digits`.
    prepared = "3.0.1/digits-train.tfrecord-00000-of-00001"
    shards = ("shard-0000000.tfrecord", ".shard-0000001.tfrecord.0.tmp")
    for name in (prepared, ".lock", *shards):
        (folder / name).write_bytes(b"")
        assert open_source("digits").count == len(digits.x_train)
        assert address("digits") == "digits"
    # Any other folder is what it was, and so is one that shards were put into.
    write_images(tmp_path / "mnist")
    for _ in range(2):
        assert open_source("mnist").count == 10
        assert address("mnist") == str(tmp_path / "mnist")
        (tmp_path / "mnist" / ".lock").write_bytes(b"")


def test_sets_by_name(digits):
    source = open_source("digits/test")
    x, y = source.read(2, 4)
    np.testing.assert_array_equal(x, digits.x_test[2:4])
    np.testing.assert_array_equal(y, digits.y_test[2:4])


def test_prepared_sets_by_name(data_dir):
    source = open_source("mnist/test", data_dir)
    assert source.count == 10_000
    x, y = source.read(500, 503)
    assert (x.shape, x.dtype, y.shape) == ((3, 28, 28, 1), np.uint8, (3,))
    np.testing.assert_array_equal(source.read(0, 502)[0][500:], x[:2])


def test_a_prepared_set_of_several_files_has_one_order(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class SeveralFiles(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(1, 1, 1))
            features = {"image": image, "label": tfds.features.ClassLabel(names="ab")}
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(120):
                image = np.full((1, 1, 1), number, np.uint8)
                yield number, {"image": image, "label": number % 2}

    builder = SeveralFiles(data_dir=tmp_path)
    settings = tfds.download.DownloadConfig(num_shards=3)
    builder.download_and_prepare(download_config=settings)
    assert builder.info.splits["train"].num_shards == 3

    # Each opens the source anew, as another worker or a resumed run does.
    def read(start, stop):
        return open_source("several_files", tmp_path).read(start, stop)[0].ravel()

    parts = np.concatenate([read(start, start + 30) for start in range(0, 120, 30)])
    assert sorted(parts) == list(range(120))
    np.testing.assert_array_equal(parts, read(0, 120))
    # `datasets.load` has the same order.
    loaded, _ = images._arrays(builder, "train")
    np.testing.assert_allclose(255 * loaded.ravel(), parts, rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("missing.npy", "cannot be read"),
        ("missing.npz", "cannot be read"),
        ("missing.tfrecord", "cannot be read"),
        ("empty", "no samples"),
        ("two.npz", "called 'x', or one array only"),
        ("half.npz", "half.npz' cannot be read: File is not a zip file"),
        ("text.npy", "text.npy' cannot be read"),
        ("empty.npy", "empty.npy' cannot be read"),
        ("zipped.tfrecord", "zipped.tfrecord' cannot be read: .*corrupted record"),
        ("other.tfrecord", "feature 'image' or 'x'"),
        ("a/b/c", "`data` must be"),
        ("nowhere:at_all", "was not found"),
        ("generation_samples:nothing", "was not found"),
        ("digits/validation", "has the splits"),
        ("no_such_set", "is not prepared"),
    ],
)
def test_what_is_no_source(data, message, tmp_path, monkeypatch, importable):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "two.npz", a=X, b=X)
    whole = (tmp_path / "two.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npy").write_text("1, 2, 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "zipped.tfrecord").write_bytes(gzip.compress(bytes(1000)))
    write_records(tmp_path / "other.tfrecord", "pixels", tf.io.serialize_tensor)
    with pytest.raises(GenerationError, match=message):
        open_source(data)


def test_images_of_two_sizes_and_files_that_are_none(tmp_path):
    write_images(tmp_path, 2)
    larger = keras.ops.zeros((5, 5, 1), "uint8")
    (tmp_path / "z.png").write_bytes(tf.io.encode_png(larger).numpy())
    with pytest.raises(GenerationError, match=r"one shape.*z.png of shape \(5, 5, 1\)"):
        open_source(tmp_path).read(0, 3)
    (tmp_path / "z.png").write_bytes(b"text")
    with pytest.raises(GenerationError, match="is no image"):
        open_source(tmp_path).read(0, 3)


def test_nothing_is_unpickled(tmp_path):
    objects = np.array([{}, {}], object)
    np.save(tmp_path / "x.npy", objects, allow_pickle=True)
    with pytest.raises(ValueError, match="Python"):
        open_source(tmp_path / "x.npy")
    np.savez(tmp_path / "x.npz", x=objects)
    with pytest.raises(ValueError, match="Object arrays"):
        open_source(tmp_path / "x.npz")
