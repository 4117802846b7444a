import ast
import subprocess
import sys
from pathlib import Path

import pytest

import uae_tf

REPOSITORY = Path(__file__).parents[1]
HEAVY = {"tensorflow_datasets", "sklearn", "matplotlib", "jinja2", "scipy.stats"}
HEAVY |= {"grpc", "tensorflow_serving"}
# In a notebook without ipywidgets its import warns.
HEAVY |= {"tqdm.auto"}


def test_importing_leaves_out_what_only_some_commands_need():
    # Keras brings some of them itself, where they are installed.
    code = (
        "import sys, keras, tensorflow; before = set(sys.modules); import uae_tf; "
        "print(*(set(sys.modules) - before))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = set(found.stdout.split())
    assert "uae_tf" in names
    assert not names & HEAVY


@pytest.mark.parametrize("name", uae_tf.__all__)
def test_public_names_exist_and_say_what_they_are(name):
    assert getattr(uae_tf, name).__doc__


def test_public_names_are_sorted_and_told_once():
    assert len(set(uae_tf.__all__)) == len(uae_tf.__all__)


def test_the_version_is_that_of_the_package():
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    versions = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "version"
    ]
    assert versions == [uae_tf.__version__]
