from concurrent.futures import ThreadPoolExecutor

import pytest

from uae_tf.serving.models_config import model_names
from uae_tf.serving.repository import ModelRepository


def write(folder):
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"model")


def seal(folder, version):
    (folder / "version").write_text(str(version))


def add(directory, name="mnist", version=None):
    return ModelRepository(directory, name, version).add(write, seal)


def test_versions_count_on_from_the_highest(tmp_path):
    assert add(tmp_path / "models") == tmp_path / "models/mnist/1"
    assert add(tmp_path / "models", version=7).name == "7"
    assert add(tmp_path / "models").name == "8"
    repository = ModelRepository(tmp_path / "models", "mnist")
    assert repository.versions() == [1, 7, 8]
    assert (repository.base_path / "8/version").read_text() == "8"


def test_a_slash_at_the_end_of_the_server_s_folder_is_one(tmp_path):
    ModelRepository(tmp_path, "mnist", None, "/srv/").add(write, seal)
    assert 'base_path: "/srv/mnist"' in (tmp_path / "models.config").read_text()


def test_a_version_that_is_there_is_refused_before_any_work(tmp_path):
    add(tmp_path, version=3)
    with pytest.raises(ValueError, match=r"`version` 3 of 'mnist' .* There are: \[3\]"):
        ModelRepository(tmp_path, "mnist", 3)


def test_a_version_that_appeared_meanwhile_is_not_overwritten(tmp_path):
    late = ModelRepository(tmp_path, "mnist", 1)
    path = add(tmp_path, version=1)
    (path / "version").write_text("the first")
    with pytest.raises(ValueError, match="never overwritten"):
        late.add(write, seal)
    assert (path / "version").read_text() == "the first"
    assert sorted(p.name for p in (tmp_path / "mnist").iterdir()) == ["1"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_export_leaves_no_version(tmp_path, error):
    def fail(folder):
        write(folder)
        raise error

    with pytest.raises(type(error)):
        ModelRepository(tmp_path, "mnist").add(fail, seal)
    assert list((tmp_path / "mnist").iterdir()) == []
    assert not (tmp_path / "models.config").exists()


def test_exports_at_the_same_time_lose_nothing(tmp_path):
    names = [f"model{i % 3}" for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda name: add(tmp_path, name), names))
    assert len(set(paths)) == 12
    assert sorted(model_names((tmp_path / "models.config").read_text())) == [
        "model0",
        "model1",
        "model2",
    ]
    assert ModelRepository(tmp_path, "model1").versions() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"name": "../mnist"}, "`name` must be of letters"),
        ({"name": ""}, "`name` must be of letters"),
        ({"version": 0}, "`version` must be a positive whole number"),
        ({"version": True}, "`version` must be a positive whole number"),
        ({"version": "1"}, "`version` must be a positive whole number"),
        ({"server_directory": "models"}, "`server_directory` must be absolute"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, match):
    with pytest.raises(ValueError, match=match):
        ModelRepository(tmp_path / "new", **{"name": "mnist", **arguments})
    assert not (tmp_path / "new").exists()
