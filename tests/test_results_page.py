"""docs/RESULTS.md is what its sources give, and tells of every one of them."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def make_results():
    path = ROOT / "scripts" / "make_results.py"
    spec = importlib.util.spec_from_file_location("make_results", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """A copy of the sources, to be changed."""
    return Path(shutil.copytree(DOCS / "results", tmp_path / "results"))


def test_page_is_what_its_sources_give(make_results):
    page = make_results.Page(DOCS / "results").render()
    remedy = "run: python scripts/make_results.py"
    assert (DOCS / "RESULTS.md").read_text(encoding="utf-8") == page, remedy


def test_every_source_is_told_of(make_results):
    page = make_results.Page(DOCS / "results").render()
    for path in (DOCS / "results").glob("*.json"):
        assert f"(results/{path.name})" in page
    sections = [p.read_text() for p in (DOCS / "results" / "sections").glob("*.md")]
    for path in (DOCS / "results" / "measured").glob("*.json"):
        calls = [f'{call}("{path.stem}")' for call in ("measured", "changes")]
        assert any(call in text for call in calls for text in sections), path


def test_pictures_show_the_numbers_of_their_files(make_results):
    for path in (DOCS / "results").glob("*.json"):
        results = json.loads(path.read_text())
        picture = DOCS / "images" / "results" / f"{path.stem}.png"
        if results.get("verdict"):
            drawn = make_results.source_of(picture)
            assert drawn == make_results.fingerprint(results), picture
        else:
            assert not picture.exists()


def test_picture_of_changes_shows_the_numbers_of_its_table(make_results):
    table = json.loads((DOCS / "results/measured/settings-tried.json").read_text())
    drawn = make_results.source_of(DOCS / "images/results/settings-tried.png")
    assert drawn == make_results.fingerprint(table)


def test_changes_are_drawn_in_the_order_of_their_table(make_results):
    columns = [{"title": "setting"}, {"title": "against duplicated, %"}]
    rows = [["first", "\u22127.4 \u00b1 0.1"], ["second", "+2.0 \u00b1 5.0"]]
    (axes,) = make_results.changes_by_setting({"columns": columns, "rows": rows}).axes
    points = [bar[0] for bar in axes.containers]
    assert [p.get_xydata()[0].tolist() for p in points] == [[-7.4, 0.0], [2.0, 1.0]]
    assert [p.get_marker() for p in points] == ["<", "o"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]


def test_number_of_a_file_is_a_number_of_the_page(make_results, folder):
    path = folder / "reconstruct-mnist-dense-2000.json"
    results = json.loads(path.read_text())
    row = next(row for row in results["rows"] if row["arm"] == "duplicated")
    row["test_error"]["mean"] = 0.0061234
    path.write_text(json.dumps(results))
    changed = make_results.Page(folder).render()
    assert "| duplicated | 6.123 ± 0.097 |" in changed
    assert changed != (DOCS / "RESULTS.md").read_text()


def test_changes_are_computed_from_the_means(make_results):
    page = make_results.Page(DOCS / "results")
    name = "reconstruct-mnist-dense-2000"
    # 5.423 and 6.545 (x 1e-3) in the table; 2.28 and 2.58 in the paper.
    assert page.change(name, "mine_uae", "original").endswith("17.1 %")
    assert page.change(name, "mine_uae", "original_short", "paper").endswith("11.6 %")
    with pytest.raises(ValueError, match="has no 'paper' for 'mine_uae' and 'orig"):
        page.change(name, "mine_uae", "original", "paper")


def test_file_without_a_section_gets_a_place_at_the_end(make_results, folder):
    shutil.copy(folder / "select-mnist.json", folder / "select-new.json")
    page = make_results.Page(folder).render()
    *_, last = page.split("\n## ")
    assert last.startswith("Further experiments\n\n### select-new\n")
    assert "| [select-new](#select-new) |" in page


def test_section_of_a_file_that_is_missing_is_an_error(make_results, folder):
    (folder / "select-mnist.json").unlink()
    with pytest.raises(FileNotFoundError, match="select-mnist"):
        make_results.Page(folder).render()


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("MNIST, dense, 2,000 samples", "mnist-dense-2000-samples"),
        ("COIL-20: do UAEs help?", "coil-20-do-uaes-help"),
        ("adversarial (z = 2)", "adversarial-z--2"),
    ],
)
def test_anchors_are_those_of_markdown_renderers(make_results, title, expected):
    assert make_results.anchor(title) == expected
