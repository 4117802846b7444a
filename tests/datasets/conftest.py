import os

import pytest

from uae_tf import datasets

FILE_SETS = ("isolet", "coil20", "mice_protein", "activity")


@pytest.fixture(scope="session")
def raw_dir(data_dir):
    """Folder with the files of the four sets, a folder each."""
    default = data_dir.parent / "raw"
    folder = type(data_dir)(os.environ.get("UAE_TF_RAW_DIR", default))
    if not all((folder / name).is_dir() for name in FILE_SETS):
        pytest.skip(
            f"no files of {', '.join(FILE_SETS)} at {folder}: set UAE_TF_RAW_DIR"
        )
    return folder


@pytest.fixture(scope="session")
def prepared_dir(raw_dir, tmp_path_factory):
    """Folder in which all four sets are prepared."""
    target = tmp_path_factory.mktemp("prepared")
    for name in FILE_SETS:
        datasets.prepare(name, raw_dir / name, target)
    return target
