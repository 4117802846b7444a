"""The code of the documentation runs, and its pages name what there is."""

import importlib.util
import re
from inspect import ismodule
from pathlib import Path

import pytest

import uae_tf
from uae_tf import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^(<!-- not run: .+? -->\n)?```python\n(.*?)^```$", re.M | re.S)
PAGES = sorted(
    str(path.relative_to(DOCS))
    for path in DOCS.rglob("*.md")
    if "```python" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("page", PAGES)
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


def test_reference_has_every_public_name():
    pages = "".join(p.read_text() for p in (DOCS / "reference").glob("*.md"))
    told = set(re.findall(r"^::: (?:\w+\.)*(\w+)$", pages, re.M))
    public = {name: getattr(uae_tf, name) for name in uae_tf.__all__}
    rooms = [uae_tf, *(value for value in public.values() if ismodule(value))]
    names = {name for room in rooms for name in room.__all__} - {
        name for name, value in public.items() if ismodule(value)
    }
    assert names - told == set(), "add `::: uae_tf.ROOM.NAME` to docs/reference"


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
