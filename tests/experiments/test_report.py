import ast
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from uae_tf.experiments.report import (
    COLUMNS,
    arms_table,
    controls_table,
    errors_by_arm,
    gallery,
    relative_loss_change,
    render_report,
    to_markdown,
    to_rich,
    write_report,
)
from uae_tf.experiments.report.arms import ARMS
from uae_tf.experiments.report.arms_table import ESSENTIAL
from uae_tf.experiments.verdict import Verdict, verdict

MEANS = {
    "original": 7.00,
    "duplicated": 6.98,
    "gaussian_0.01": 6.98,
    "gaussian_0.001": 6.99,
    "gaussian_tuned": 5.97,
    "start_noise": 5.93,
    "matched_noise": 5.96,
    "criterion_only": 5.67,
    "l2_uae": 5.74,
    "mine_uae": 5.67,
}
ATTACKS = ("criterion_only", "l2_uae", "mine_uae")
SCALE = "\N{MULTIPLICATION SIGN}1e-3"
HOSTILE = "<script>alert(1)</script>"


def statistic(values):
    values = [float(v) for v in values]
    return {"mean": np.mean(values), "std": np.std(values, ddof=1), "values": values}


def make_row(arm, seeds, rng, seed_effect):
    error = 1e-3 * (MEANS[arm] + seed_effect + rng.normal(0, 0.02, seeds))
    row = {"arm": arm, "test_error": statistic(error), "updates": 3000, "seconds": 75.0}
    row |= {"train_error": statistic(0.9 * error), "paper": 0.00258}
    row |= {"success_rate": None, "l2": None, "linf": None, "cosine": None}
    if arm in ATTACKS:
        row["success_rate"] = statistic(0.97 + 0.01 * rng.random(seeds))
        row["relative_loss_change"] = statistic(-0.12 + 0.02 * rng.random(seeds))
        row |= {"l2": 5.1, "linf": 0.7, "cosine": 0.8, "mutual_information": 0.4}
    return row


@pytest.fixture
def results():
    """Results shaped and sized like those of a real run."""
    rng = np.random.default_rng(0)
    seed_effect = rng.normal(0, 0.05, 3)
    rows = [make_row(arm, 3, rng, seed_effect) for arm in MEANS]
    errors = {row["arm"]: row["test_error"]["values"] for row in rows}
    return {
        "experiment": "reconstruct",
        "settings": {
            "dataset": "mnist",
            "model": "dense",
            "samples": 2000,
            "epochs": 30,
            "seeds": [0, 1, 2],
            "arms": list(MEANS),
            "attack": {"epsilon": 1.0, "restart": False},
        },
        "environment": {"python": "3.11", "tensorflow": "2.21", "accelerators": []},
        "rows": rows,
        "verdict": verdict(errors).to_dict(),
        "notes": ["Target: self."],
        "complete": True,
        "command": "uae-tf reconstruct --dataset mnist",
    }


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    x = rng.random((10, 8, 8, 1))
    return x, np.clip(x + rng.uniform(-0.5, 0.5, x.shape), 0, 1), 0.9 * x, 0.8 * x


class Page(HTMLParser):
    """Collects what the tests ask about, and checks that tags are balanced."""

    EMPTY = ("meta", "img", "line", "rect", "circle", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        # Any white space but the no-break space.
        return re.sub(r"[ \n]+", " ", " ".join(self.texts))


def test_page_tells_the_whole_story_in_order(results, images):
    figures = {
        "histogram": relative_loss_change({"mine_uae": np.array([-0.1, 0.1])}),
        "gallery": gallery(*images),
        "transfer": errors_by_arm(results["rows"]),
    }
    page = Page(render_report(results, figures))
    parts = [
        "Does mine_uae help a dense model on mnist?",
        results["verdict"]["headline"].partition(" (")[0].replace(" %", "\N{NBSP}%"),
        "Against each control",
        "All arms",
        "Gallery",
        "Relative change of the loss",
        "Transfer",
        "How to read this",
        ARMS["matched_noise"].meaning,
        "Target: self.",
        "uae-tf reconstruct --dataset mnist",
        "attack.epsilon 1.0 attack.restart no",
        "tensorflow",
    ]
    places = [page.text.index(part) for part in parts]
    assert places == sorted(places)
    assert "not finished" not in page.text


@pytest.mark.parametrize(
    ("shift", "tone"), [(-1.0, "helps"), (0.0, "no-effect"), (1.0, "hurts")]
)
def test_box_has_the_colour_of_the_verdict(results, shift, tone):
    control = np.array([5.0, 5.1, 5.0])
    moved = control + shift * np.array([1.0, 1.02, 1.0])
    errors = {"duplicated": control.tolist(), "mine_uae": moved.tolist()}
    results["verdict"] = verdict(errors).to_dict()
    sections = Page(render_report(results, {})).all("section")
    assert sections[0]["class"] == f"verdict {tone}"


def test_page_needs_nothing_from_outside(results, images):
    text = render_report(results, {"gallery": gallery(*images)})
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    for image in page.all("img"):
        assert image["src"].startswith("data:image/png;base64,")


def test_page_is_accessible(results, images):
    page = Page(render_report(results, {"gallery": gallery(*images)}))
    assert page.all("html") == [{"lang": "en"}]
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    (image,) = page.all("img")
    assert image["alt"].startswith("8 samples, one per column")
    assert int(image["width"]) > 100


def test_hostile_names_stay_text(results):
    results["settings"]["dataset"] = HOSTILE
    results["settings"][HOSTILE] = {"x": HOSTILE}
    results["rows"].append({"arm": HOSTILE, "error": HOSTILE})
    results["verdict"]["headline"] = HOSTILE
    results |= {"command": HOSTILE, "notes": [HOSTILE], "experiment": HOSTILE}
    text = render_report(results, {})
    assert "<script" not in text
    assert Page(text).text.count(HOSTILE) >= 8


def test_interrupted_run_has_a_report(results):
    rows = results["rows"][:3]
    rows[1]["test_error"] = statistic([0.007, 0.0071])
    rows.append({"arm": "start_noise", "error": "out of memory"})
    diverged = {"mean": float("nan"), "std": None, "values": [float("nan")]}
    rows.append({"arm": "l2_uae", "test_error": diverged})
    errors = {row["arm"]: row["test_error"]["values"] for row in rows[:3]}
    controls = [arm for arm in MEANS if arm != "mine_uae"]
    results |= {"rows": rows, "complete": False}
    results["verdict"] = verdict(errors, controls=controls).to_dict()
    page = Page(render_report(results, {}))
    assert "This run is not finished" in page.text
    assert "No verdict yet" in page.text
    assert "duplicated (2 of 3 seeds)" in page.text
    assert "failed: out of memory" in page.text
    assert "failed: not finite" in page.text
    assert page.text.count(" pending ") == 5


@pytest.mark.parametrize("results", [{}, {"rows": [{"arm": "a"}], "verdict": None}])
def test_nearly_empty_results(results):
    page = Page(render_report(results, {}))
    assert "Does mine_uae help?" in page.text
    assert "No verdict yet." in page.text


def test_write_report_leaves_page_and_pictures(results, images, tmp_path):
    figure = gallery(*images)
    path = write_report(results, {"gallery": figure}, tmp_path / "run" / "report.html")
    png = (tmp_path / "run" / "figures" / "gallery.png").read_bytes()
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    # The bytes of a PNG do as well as a figure.
    write_report(results, {"gallery": png}, path)
    written = sorted(p.name for p in path.parent.rglob("*"))
    assert written == ["figures", "gallery.png", "report.html"]
    # Nor does the picture of a former run stay beside a page that lacks it.
    (path.parent / "figures" / "mine.png").write_bytes(png)
    write_report(results, {"errors": png}, path)
    left = sorted(p.name for p in (path.parent / "figures").iterdir())
    assert left == ["errors.png", "mine.png"]


@pytest.mark.parametrize(
    ("figures", "match"),
    [
        ({"../gallery": b""}, "becomes a file name"),
        ({"gallery": b"GIF89a" + bytes(30)}, "or the bytes of a PNG"),
    ],
)
def test_bad_figures_are_refused_before_writing(results, tmp_path, figures, match):
    with pytest.raises(ValueError, match=match):
        write_report(results, figures, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_folder_as_path_is_refused(results, tmp_path):
    with pytest.raises(ValueError, match="path must name a file such as"):
        write_report(results, {}, tmp_path)


@pytest.mark.parametrize(
    ("scale", "unit", "told", "difference"),
    [
        (1e-3, "", SCALE, "+3.000 ± 0.577"),
        (1e-2, "%", "% points", "+0.030 ± 0.006"),
    ],
)
def test_a_control_is_told_with_interval_and_both_effects(
    scale, unit, told, difference
):
    # Differences of 2, 3 and 4; Student's quantile is 4.30265. p is 0.035, 0.07 of two.
    control = list(scale * np.array([2.0, 3.0, 4.0]))
    errors = {"original": control, "duplicated": control, "mine_uae": [0.0] * 3}
    table = controls_table(verdict(errors), unit)
    assert table.headers[1].unit == told
    for row, name in zip(table.rows, ("original", "duplicated"), strict=True):
        texts = [cell.text for cell in row]
        assert texts[0].removesuffix(" (strongest)") == name
        assert texts[1:3] == [difference, "+100.0"]
        assert texts[3] == "+17.2 to +182.8"
        assert texts[4:] == ["helps", "no effect", "3"]


def test_table_scales_marks_and_drops(results):
    table = arms_table(results)
    heads = [header.text for header in table.headers]
    assert heads[:3] == ["arm", f"test error ({SCALE})", f"paper ({SCALE})"]
    measured = {key for row in results["rows"] for key in row}
    assert len(heads) == 1 + sum(column.key in measured for column in COLUMNS)
    best = [row[0].text for row in table.rows if row[1].is_best]
    means = {row["arm"]: row["test_error"]["mean"] for row in results["rows"]}
    assert best == [min(means, key=means.get)]
    original = table.rows[0]
    assert original[1].text == (
        f"{1e3 * means['original']:.3f} ± "
        f"{1e3 * results['rows'][0]['test_error']['std']:.3f}"
    )
    assert original[2].text == "2.58"
    for row in results["rows"]:
        del row["paper"]
    assert "paper" not in " ".join(h.title for h in arms_table(results).headers)


def test_one_table_for_page_terminal_and_markdown(results):
    table = arms_table(results)
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(to_rich(table))
    drawn = {
        "terminal": console.export_text(),
        "markdown": to_markdown(table).replace("**", ""),
        "page": Page(render_report(results, {})).text,
    }
    for where, text in drawn.items():
        for cell in (cell for row in table.rows for cell in row):
            assert cell.text in text, where


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_table_fits_the_terminal(results, width):
    for table in (
        arms_table(results),
        controls_table(Verdict.from_dict(results["verdict"])),
    ):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(to_rich(table, width))
        text = console.export_text()
        assert "…" not in text
        assert table.rows[0][1].text in text


@pytest.mark.parametrize("name", ["gallery", "convergence", "histogram", "examples"])
def test_pictures_of_one_seed_say_so(results, images, name):
    """Their rates are not those of the table, which are means over seeds."""
    page = Page(render_report(results, {name: gallery(*images)}))
    assert "first seed" in page.text


def test_the_success_rate_of_a_supervised_attack_is_told_as_such():
    rows = [{"arm": "minmax", "success_rate": 0.9}]
    table = arms_table({"rows": rows, "primary": "success_rate"})
    assert "gives another class" in table.headers[1].meaning


def test_differences_of_error_rates_are_in_points(results):
    """Beside the arms' column in %; a scale of their own they do not have."""
    for row in results["rows"]:
        row["test_error"] = statistic([0.04, 0.05, 0.06])
    errors = {row["arm"]: row["test_error"]["values"] for row in results["rows"]}
    results |= {"error_unit": "%", "verdict": verdict(errors).to_dict()}
    text = Page(render_report(results, {})).text
    assert "test error % " in text
    assert "lower error by % points " in text
    assert "1e-2" not in text


def test_markdown_keeps_cells_in_place():
    table = arms_table({"rows": [{"arm": "a|b\n*c*<d>", "error": "x"}]})
    last = to_markdown(table).splitlines()[-1]
    assert last == r"| a\|b \*c\*\<d> | failed: x |"


@pytest.mark.parametrize("package", ["uae_tf", "uae_tf.experiments"])
def test_packages_do_not_load_the_report(package):
    """`import uae_tf` must not pay for jinja2; other rooms may not import this one."""
    tree = ast.parse(Path(sys.modules[package].__file__).read_text(encoding="utf-8"))
    # Those that run on import; `compare` loads the report when it is asked for.
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not any("experiments" in ast.unparse(node) for node in imports)
    assert not any("report" in ast.unparse(node) for node in imports)


def test_what_the_table_is_about_is_its_first_column():
    numbers = {"success_rate": 0.9, "l2": 2.0, "kernel": 0.5}
    table = arms_table(
        {"rows": [{"arm": "convolution", **numbers}], "primary": "kernel"}, ESSENTIAL
    )
    assert [header.title for header in table.headers] == ["arm", "KD", "ASR", "L2"]
    assert table.rows[0][1].text.startswith("0.5")
