"""The code of the documentation runs, and its pages name what there is."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import uae_tf
from uae_tf import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^(<!-- not run: .+? -->\n)?```python\n(.*?)^```$", re.M | re.S)
ROOMS = [
    "attacks",
    "criteria",
    "datasets",
    "evaluation",
    "generation",
    "losses",
    "mine",
    "models",
    "optimizers",
    "serving",
    "training",
]
PAGES = sorted(
    str(path.relative_to(DOCS))
    for path in DOCS.rglob("*.md")
    if "```python" in path.read_text(encoding="utf-8")
)


#: Whose code takes longer than that of any other.
SLOW_PAGES = {"how-to/few-labels.md"}


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.slow if p in SLOW_PAGES else ()) for p in PAGES],
)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python")
    namespace = {"__name__": "page"}
    for block in blocks:
        if not block[1]:
            # As many lines before the code as in the page, for tracebacks.
            lines = "\n" * text.count("\n", 0, block.start(2))
            exec(compile(lines + block[2], str(DOCS / page), "exec"), namespace)


def told_of():
    """Every dotted name that the reference has a place for."""
    pages = "".join(p.read_text() for p in (DOCS / "reference").glob("*.md"))
    return re.findall(r"^::: ([\w.]+)$", pages, re.M)


def test_reference_has_every_public_name():
    told = {name.rpartition(".")[2] for name in told_of()}
    rooms = [uae_tf, *(importlib.import_module(f"uae_tf.{room}") for room in ROOMS)]
    names = {n for room in rooms for n in room.__all__ if callable(getattr(room, n))}
    assert names - told == set(), "add `::: uae_tf.ROOM.NAME` to docs/reference"


@pytest.mark.parametrize("name", told_of())
def test_reference_names_what_there_is(name):
    module, _, last = name.rpartition(".")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        pytest.fail(f"{module} is no module")
    assert hasattr(found, last)


def test_page_of_the_command_line_has_every_command():
    page = (DOCS / "reference" / "command-line.md").read_text()
    groups = [("uae-tf", cli.app), ("uae-tf datasets", cli.datasets_app)]
    names = [f"{g} {c.name}" for g, app in groups for c in app.registered_commands]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_pictures_are_those_of_the_notebooks():
    path = DOCS.parent / "scripts" / "make_figures.py"
    spec = importlib.util.spec_from_file_location("make_figures", path)
    make_figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_figures)
    for name, place in make_figures.PICTURES.items():
        shown = (DOCS / "images" / f"{name}.png").read_bytes()
        assert shown == make_figures.picture(*place), "run scripts/make_figures.py"


def test_changelog_tells_of_this_version():
    text = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {uae_tf.__version__}\n" in text
