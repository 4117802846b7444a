"""Each notebook's two forms say the same, and its outputs are fit to be shown.

Nothing is executed here; `python -m pytest --nbmake notebooks/*.ipynb` does that.
"""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
REMEDY = "run: python scripts/run_notebooks.py notebooks/"
A_PATH = re.compile(r"(?<![\w.])/(home|root|Users|tmp|var|usr|opt|work|mnt)/|[A-Z]:\\")


def name(path):
    return path.stem


def cells(notebook):
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [output for cell in code for output in cell.outputs]


def test_every_notebook_has_both_forms():
    assert SOURCES
    assert [name(path) for path in SOURCES] == [name(path) for path in NOTEBOOKS]


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_both_forms_have_the_same_cells(source):
    executed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert cells(executed) == cells(jupytext.read(source)), REMEDY + source.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_it_was_executed_once_from_a_fresh_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_its_pictures_are_in_place(path):
    pictures = [out for out in outputs(path) if "image/png" in out.get("data", {})]
    assert pictures
    # A page of a few hundred kilobytes opens at once, on a repository's site too.
    assert path.stat().st_size < 2_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_its_outputs_hold_no_noise_and_no_path_of_a_machine(path):
    for output in outputs(path):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
        data = output.get("data", {})
        texts = [output.get("text", ""), *(data[k] for k in data if "text" in k)]
        for text in texts:
            assert not A_PATH.search(text), text
            assert "WARNING" not in text


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_the_index_names_it(source):
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"[{source.stem}]({source.stem}.ipynb)" in index


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_links_lead_to_files(source):
    markdown = [text for kind, text in cells(jupytext.read(source)) if kind != "code"]
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", "\n".join(markdown)):
        assert "://" in link or (FOLDER / link).exists(), link
