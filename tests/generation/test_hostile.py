"""Files of a run that somebody forged: only the library's own error comes out."""

import contextlib
import copy
import io
import json
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uae_tf.generation import GenerationError, generate, load, status, verify
from uae_tf.generation.journal import Record, append, read_journal
from uae_tf.generation.manifest import read_manifest
from uae_tf.generation.plan import Plan
from uae_tf.generation.shards import read_shard

from .conftest import SETTINGS

NAME = "shard-0000001.npz"
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def finished(files, attack, tmp_path_factory):
    """A run that nobody changes, for those that are about to be forged."""
    directory = tmp_path_factory.mktemp("finished")
    generate(attack, files.x, directory, **SETTINGS)
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def directory(finished, tmp_path):
    for name, data in finished.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def forge(directory, name, data):
    """A shard with any content, and a journal that says it is right."""
    import hashlib

    (directory / name).write_bytes(data)
    plan = read_manifest(directory)
    record = read_journal(directory, plan)[0][1]
    fields = {**vars(record), "size": len(data)}
    fields["sha256"] = hashlib.sha256(data).hexdigest()
    append(directory, Record(**fields))


def npz(arrays, **kwargs):
    stream = io.BytesIO()
    np.savez(stream, **arrays, **kwargs)
    return stream.getvalue()


def arrays_of(finished):
    with np.load(io.BytesIO(finished[NAME])) as arrays:
        return dict(arrays)


def huge_header(finished):
    """An array of 4 TB, by its header."""
    stream, member = io.BytesIO(), io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("examples.npy", member.getvalue())
    return stream.getvalue()


def bomb(finished):
    """A member that grows when it is unpacked."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("examples.npy", bytes(10**7))
    return stream.getvalue()


def changed(finished, **changes):
    return npz({**arrays_of(finished), **changes})


FORGERIES = {
    "a huge array": huge_header,
    "a bomb": bomb,
    "pickled": lambda f: changed(f, examples=np.array([print], object)),
    "of another run": lambda f: changed(f, run=np.array("0" * 64)),
    "of other samples": lambda f: changed(f, sample_id=np.arange(16)),
    "with another dtype": lambda f: changed(f, l2=np.zeros(16)),
    "with another shape": lambda f: changed(f, l2=np.zeros(15, np.float32)),
    "with one array more": lambda f: changed(f, more=np.zeros(1)),
    "with none": lambda f: npz({}),
    "no archive": lambda f: b"PK\x03\x04 nothing",
    "empty": lambda f: b"",
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_forged_shards(directory, finished, kind):
    forge(directory, NAME, FORGERIES[kind](finished))
    for read in (load, lambda d: list(load(d, as_tf_data=True))):
        # TensorFlow wraps what a generator raises.
        with pytest.raises(Exception, match="not a shard of this run") as error:
            read(directory)
    assert "GenerationError" in repr(error.value) + str(error.value)
    assert not verify(directory).is_sound


@FUZZ
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=20))
def test_fuzzed_shards(directory, finished, position, noise):
    data = bytearray(finished[NAME])
    data[position : position + len(noise)] = noise
    forge(directory, NAME, bytes(data))
    plan = read_manifest(directory)
    record = read_journal(directory, plan)[0][1]
    with contextlib.suppress(GenerationError):
        assert len(read_shard(directory, plan, record)) == 16


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=5,
)


@FUZZ
@given(st.data())
def test_fuzzed_manifests(directory, finished, data):
    manifest = json.loads(finished["manifest.json"])
    at, depth = manifest, data.draw(st.integers(0, 4))
    for _ in range(depth):
        inner = [key for key, value in at.items() if isinstance(value, dict) and value]
        if not inner:
            break
        at = at[data.draw(st.sampled_from(inner))]
    at[data.draw(st.sampled_from(sorted(at)))] = data.draw(JSON)
    # A forger would set the hash as well.
    fields = manifest.get("settings")
    try:
        manifest["run"] = Plan(**fields).run
    except Exception:
        manifest["run"] = "0"
    (directory / "manifest.json").write_text(json.dumps(manifest))
    for read in (status, load, verify):
        with contextlib.suppress(GenerationError):
            read(directory)


@FUZZ
@given(st.binary(max_size=50), st.integers(0, 1000))
def test_fuzzed_bytes_of_manifest_and_journal(directory, finished, noise, position):
    for name in ("manifest.json", "journal.jsonl"):
        content = bytearray(finished[name])
        content[position : position + len(noise)] = noise
        (directory / name).write_bytes(content)
    for read in (status, load):
        with contextlib.suppress(GenerationError):
            read(directory)


@FUZZ
@given(st.dictionaries(st.sampled_from([*Record.__annotations__, "error"]), JSON))
def test_fuzzed_records(directory, finished, fields):
    lines = finished["journal.jsonl"].splitlines(keepends=True)
    record = {**json.loads(lines[1]), **fields}
    journal = b"".join([*lines, json.dumps(record).encode() + b"\n"])
    (directory / "journal.jsonl").write_bytes(journal)
    with contextlib.suppress(GenerationError):
        load(directory)


def test_no_name_leads_out_of_the_directory(directory, finished):
    # Nothing in the files names a file: what looks like a name is no record.
    lines = finished["journal.jsonl"].splitlines()
    for change in ({"shard": "../../secret"}, {"name": "../x"}, {"shard": -1}):
        forged = json.dumps({**json.loads(lines[1]), **change}).encode() + b"\n"
        (directory / "journal.jsonl").write_bytes(b"".join([lines[0], b"\n", forged]))
        assert status(directory).shards == 1
    manifest = json.loads(finished["manifest.json"])
    other = copy.deepcopy(manifest)
    other["settings"]["sink"] = "npz/../../secret"
    (directory / "manifest.json").write_text(json.dumps(other))
    with pytest.raises(GenerationError, match="`sink` must be one of"):
        load(directory)


def test_an_altered_manifest_is_noticed(directory, finished):
    manifest = json.loads(finished["manifest.json"])
    manifest["settings"]["attack"]["config"]["steps"] = 4
    (directory / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GenerationError, match="was altered"):
        load(directory)


def test_nothing_a_manifest_names_is_opened(directory, finished):
    manifest = json.loads(finished["manifest.json"])
    manifest["source"] = "os:abort"
    (directory / "manifest.json").write_text(json.dumps(manifest))
    assert verify(directory).is_sound


def test_a_model_with_code_in_it_is_refused(files, tmp_path):
    inputs = keras.Input((8,))
    outputs = keras.layers.Lambda(lambda x: x)(inputs)
    path = tmp_path / "lambda.keras"
    keras.Model(inputs, outputs).save(path)
    generate_from = tmp_path / "run"
    from typer.testing import CliRunner

    from uae_tf import cli

    arguments = ["generate", "--model", path, "--data", files.x, "--out", generate_from]
    found = CliRunner().invoke(cli.app, list(map(str, arguments)))
    assert isinstance(found.exception, ValueError)
    assert "unsafe" in str(found.exception) or "Lambda" in str(found.exception)
    assert not generate_from.exists()
