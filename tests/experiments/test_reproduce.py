"""Recipes are checked before any work; runs that are done are never done again."""

import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from uae_tf import cli, datasets
from uae_tf.commands.reproduce import ScaleName, TableName
from uae_tf.experiments.report.errors import errors_by_arm
from uae_tf.experiments.reproduce import SCALES, TABLES, Reproduction, load_recipe
from uae_tf.experiments.reproduce import kinds as kinds_module
from uae_tf.experiments.reproduce.kinds import make_settings
from uae_tf.experiments.reproduce.plan import plan_table
from uae_tf.experiments.reproduce.recipe import FOLDER
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.experiments.verdict import verdict
from uae_tf.files import read_json, write_json

RECIPE = """
title = "Reconstruction"
source = "Table 4"
about = "Small."

[[run]]
name = "first"
title = "The first"
experiment = "reconstruct"
seconds = 30
[run.settings]
dataset = "digits"
samples = 40
epochs = 1
seeds = 2
arms = ["original", "mine_uae"]

[[run]]
name = "second"
title = "The second"
experiment = "select"
[run.settings]
dataset = "digits"
"""
SHORT = 'seeds = 1\narms = ["original", "duplicated"]'
ERRORS = {"original": [2.0, 2.1, 1.9], "mine_uae": [1.0, 1.12, 0.9]}


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "reconstruction-quick.toml").write_text(RECIPE)
    return folder


def edit(recipes, old, new):
    path = recipes / "reconstruction-quick.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


class Fake:
    """An experiment that takes no time, and counts what it is asked."""

    def __init__(self):
        self.settings, self.is_complete, self.error = [], True, None
        self.workers = []

    def __call__(self, settings, out, resume, console, workers):
        assert resume
        self.settings.append(settings)
        self.workers.append(workers)
        if self.error:
            raise self.error
        rows = [
            {
                "arm": arm,
                "test_error": {
                    "mean": float(np.mean(values)),
                    "std": 0.1,
                    "values": values,
                },
            }
            for arm, values in ERRORS.items()
        ]
        results = {
            "experiment": "fake",
            "settings": {**settings.to_dict(), "seeds": 3},
            "rows": rows,
            "verdict": verdict(ERRORS).to_dict(),
            "notes": ["A note <of> the run."],
            "complete": self.is_complete,
        }
        write_json(out / "results.json", results)
        (out / "figures").mkdir(exist_ok=True)
        errors_by_arm(rows).savefig(out / "figures" / "errors.png")
        return results


@pytest.fixture
def fakes(monkeypatch):
    found = {name: Fake() for name in ("reconstruct", "select")}
    kinds = {
        name: dataclasses.replace(kinds_module.KINDS[name], function=fake)
        for name, fake in found.items()
    }
    monkeypatch.setattr("uae_tf.experiments.reproduce.reproduction.KINDS", kinds)
    return found


def reproduction(recipes, tmp_path, workers=0):
    recipe = load_recipe("reconstruction", "quick", recipes)
    out, console = tmp_path / "out", Console(quiet=True)
    return Reproduction([recipe], out, "DATA", console, workers=workers)


def states(found):
    return [step.state for step in found.plan()]


def test_runs_have_workers_where_they_can(recipes, tmp_path, fakes):
    reproduction(recipes, tmp_path, workers=3).run()
    told = [number for fake in fakes.values() for number in fake.workers]
    assert told
    assert set(told) == {3}
    # An experiment that cannot is not asked to.
    alone = kinds_module.Kind(dict, lambda *arguments: {"given": len(arguments)}, False)
    assert alone.run({}, tmp_path, Console(quiet=True), 3) == {"given": 4}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("table", TABLES)
def test_our_recipes_are_sound(table, scale):
    recipe = load_recipe(table, scale)
    assert recipe.runs
    assert recipe.title
    assert recipe.source
    assert recipe.about
    for run in recipe.runs:
        assert re.fullmatch(r"[a-z0-9.-]+", run.name)
        # The plan tells how long it takes.
        assert run.seconds


def test_every_file_of_the_folder_is_a_recipe():
    names = {f"{table}-{scale}.toml" for table in TABLES for scale in SCALES}
    assert {path.name for path in FOLDER.iterdir()} == names


def test_quick_is_half_an_hour_of_real_data_and_three_seeds():
    recipes = [load_recipe(table, "quick") for table in TABLES]
    assert sum(recipe.seconds for recipe in recipes) <= 1800
    for recipe in recipes:
        for run in recipe.runs:
            # An attack is repeated without seeds of its own, or spreads over images.
            assert run.settings.get("seeds", run.settings.get("runs", 3)) == 3


def test_settings_from_toml_are_those_of_the_experiment():
    found = make_settings("reconstruct", {"arms": ["original"], "similarity_weight": 2})
    assert found == ReconstructionSettings(arms=("original",), similarity_weight=2.0)
    assert isinstance(found.similarity_weight, float)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"reconstruct"', '"sing"', "run 'first': `experiment` must be one of"),
        ("samples = 40", "sample = 40", "run 'first': reconstruct has no setting 'sam"),
        ("samples = 40", "samples = 0", "run 'first': `samples` must be a whole"),
        ("seconds = 30", "minutes = 1", "run 'first' has minutes"),
        ('name = "second"', 'name = "first"', "two runs have one name"),
        ('source = "Table 4"', "", "the file has no 'source'"),
        ('source = "Table 4"', "source = 4", "the file: 'source' must be text.*4"),
        ("[[run]]", "[[runs]]", "'run'"),
        ('title = "The first"', "", "run 'first' has no 'title'"),
        ('title = "The first"', "title = 7", "run 'first': 'title' must be text.*7"),
        ('name = "first"', "name = 3", "run 3: 'name' must be text.*3"),
        ("seconds = 30", 'seconds = "5 min"', "'seconds' must be a number.*5 min"),
        ("seconds = 30", "seconds = true", "'seconds' must be a number.*True"),
        ("seconds = 30", "seconds = nan", "'seconds' must be at least 0.*nan"),
        ('name = "first"', 'name = "../evil"', "'name' must be that of a folder"),
        ('name = "first"', 'name = ""', "'name' must be that of a folder"),
        ('arms = ["original", "mine_uae"]', 'arms = "original"', "`arms` must be a li"),
        ('arms = ["original", "mine_uae"]', "arms = [1]", "`arms` must be a list of t"),
        ('title = "The first"', "title = The first", "Invalid value"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_told_with_its_file(recipes, old, new, match):
    edit(recipes, old, new)
    with pytest.raises(ValueError, match=rf"reconstruction-quick\.toml: .*{match}"):
        load_recipe("reconstruction", "quick", recipes)


def test_one_table_in_the_place_of_a_list_of_runs(recipes):
    text = RECIPE.partition('[[run]]\nname = "second"')[0].replace("[[run]]", "[run]")
    (recipes / "reconstruction-quick.toml").write_text(text)
    with pytest.raises(ValueError, match=r"each under \[\[run\]\]"):
        load_recipe("reconstruction", "quick", recipes)
    for runs in ("", "run = []", "run = [1]"):
        (recipes / "reconstruction-quick.toml").write_text(
            f'title = ""\nsource = ""\nabout = ""\n{runs}'
        )
        with pytest.raises(ValueError, match=r"each under \[\[run\]\]"):
            load_recipe("reconstruction", "quick", recipes)


def test_unknown_names_and_missing_files(recipes):
    with pytest.raises(ValueError, match="`table` must be one of: reconstruction"):
        load_recipe("desserts", "quick")
    with pytest.raises(ValueError, match="`scale` must be one of: quick"):
        load_recipe("selection", "huge")
    with pytest.raises(FileNotFoundError, match=r"selection-quick\.toml"):
        load_recipe("selection", "quick", recipes)


def test_runs_are_made_once_and_told_in_one_page(recipes, tmp_path, fakes):
    found = reproduction(recipes, tmp_path)
    assert states(found) == ["to do", "to do"]
    assert found.run()
    assert states(found) == ["done", "done"]
    assert fakes["reconstruct"].settings[0].data_dir == "DATA"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "2 of 2 runs are done." in page
    assert "For numbers worth quoting" in page
    assert page.count("data:image/png;base64,") == 2
    assert "mine_uae helps even against original" in page
    assert "A note &lt;of&gt; the run." in page
    results = read_json(tmp_path / "out" / "results.json")
    assert results["complete"]
    assert [run["run"] for run in results["runs"]] == ["first", "second"]
    assert {run["verdict"]["effect"] for run in results["runs"]} == {"helps"}
    again = reproduction(recipes, tmp_path)
    assert again.run()
    assert [len(fake.settings) for fake in fakes.values()] == [1, 1]


def test_interruption_stops_and_the_next_call_goes_on(recipes, tmp_path, fakes):
    fakes["reconstruct"].is_complete = False
    assert not reproduction(recipes, tmp_path).run()
    assert not fakes["select"].settings
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not finished." in page
    assert "Still to come." in page
    fakes["reconstruct"].is_complete = True
    found = reproduction(recipes, tmp_path)
    assert states(found) == ["go on", "to do"]
    assert found.run()
    assert [len(fake.settings) for fake in fakes.values()] == [2, 1]


def test_tables_of_earlier_calls_stay_in_the_report(recipes, tmp_path, fakes):
    text = RECIPE.replace('title = "Reconstruction"', 'title = "Selection"')
    (recipes / "selection-quick.toml").write_text(text)
    first = load_recipe("selection", "quick", recipes)
    second = load_recipe("reconstruction", "quick", recipes)
    console = Console(quiet=True)
    out = tmp_path / "out"
    assert Reproduction([first], out, None, console, [second]).run()
    assert "Reconstruction</h2>" not in (out / "report.html").read_text()
    assert Reproduction([second], out, None, console, [first]).run()
    page = (out / "report.html").read_text()
    assert page.index("Reconstruction</h2>") < page.index("Selection</h2>")
    assert "4 of 4 runs are done." in page
    assert [len(fake.settings) for fake in fakes.values()] == [2, 2]


def test_run_without_its_data_is_told_and_the_others_go_on(
    recipes, tmp_path, fakes, monkeypatch
):
    fakes["reconstruct"].error = FileNotFoundError("MNIST is not prepared")
    found = reproduction(recipes, tmp_path)
    assert not found.run()
    assert len(fakes["select"].settings) == 1
    assert not read_json(tmp_path / "out" / "results.json")["complete"]
    assert "MNIST is not prepared" in (tmp_path / "out" / "report.html").read_text()
    fakes["reconstruct"].error = ValueError("more samples than features")
    assert not reproduction(recipes, tmp_path).run()
    assert "more samples than feat" in (tmp_path / "out" / "report.html").read_text()
    monkeypatch.setattr(datasets, "is_at_hand", lambda name, data_dir: False)
    found = reproduction(recipes, tmp_path)
    assert states(found) == ["data missing", "done"]
    assert not found.run()
    assert len(fakes["reconstruct"].settings) == 2


def test_edited_recipe_is_not_taken_for_the_old_one(recipes, tmp_path, fakes):
    reproduction(recipes, tmp_path).run()
    edit(recipes, "samples = 40", "samples = 50")
    with pytest.raises(ValueError, match=r"settings\.samples: saved 40, requested 50"):
        reproduction(recipes, tmp_path)
    assert len(fakes["reconstruct"].settings) == 1
    edit(recipes, "samples = 50", "samples = 40")
    edit(recipes, '"select"', '"semisupervised"')
    with pytest.raises(ValueError, match='experiment: saved "select", requested "semi'):
        reproduction(recipes, tmp_path)


@pytest.mark.parametrize("has_results", [False, True])
def test_a_refused_run_does_not_hold_up_the_mended_recipe(
    recipes, tmp_path, fakes, has_results
):
    fakes["reconstruct"].error = ValueError("refused")
    if has_results:
        # Some things are refused as late as in the first job.
        path = tmp_path / "out" / "reconstruction" / "first" / "results.json"
        write_json(path, {"complete": False, "runs": {}})
    assert not reproduction(recipes, tmp_path).run()
    fakes["reconstruct"].error = None
    edit(recipes, "samples = 40", "samples = 50")
    found = reproduction(recipes, tmp_path)
    assert states(found) == ["to do", "done"]
    assert found.run()


def test_a_dead_worker_ends_its_own_run_and_keeps_what_is_done(
    recipes, tmp_path, fakes
):
    path = tmp_path / "out" / "reconstruction" / "first" / "results.json"
    write_json(path, {"complete": False, "runs": {}})
    fakes["reconstruct"].error = ChildProcessError("A worker died")
    found = reproduction(recipes, tmp_path)
    assert not found.run()
    assert states(found) == ["go on", "done"]
    told = read_json(tmp_path / "out" / "results.json")["runs"]
    assert [run["error"] for run in told] == ["A worker died", None]


def test_plan_tells_what_is_left_and_how_long_it_takes(recipes, tmp_path, fakes):
    found = reproduction(recipes, tmp_path)
    console = Console(width=80, file=io.StringIO())
    console.print(plan_table(found.plan()))
    text = console.file.getvalue()
    expected = "2 runs to make: 30.0 s on two idle cores, and 1 of unknown length."
    assert expected in " ".join(text.split())
    assert re.search(r"reconstruction +The first +to do +2 +30\.0 s", text)
    assert load_recipe("reconstruction", "quick", recipes).seconds is None
    missing = dataclasses.replace(found.plan()[1], state="data missing")
    caption = plan_table([found.plan()[0], missing]).caption
    assert caption == (
        "1 run to make: 30.0 s on two idle cores. 1 cannot be made for lack of data."
    )


@pytest.mark.parametrize("title", ["bad [/labels]", "MNIST [dense]"])
def test_plan_shows_titles_as_they_are(recipes, tmp_path, fakes, title):
    edit(recipes, "The first", title)
    found = reproduction(recipes, tmp_path)
    console = Console(width=120, file=io.StringIO())
    console.print(plan_table(found.plan()))
    assert title in console.file.getvalue()


def test_command_offers_every_table_and_scale():
    assert [*TableName] == [*TABLES, "all"]
    assert [*ScaleName] == [*SCALES]


def test_command_shows_the_plan_without_doing_it(recipes, tmp_path):
    arguments = ["reproduce", "--table", "reconstruction", "--plan"]
    arguments += ["--recipes", str(recipes), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "The second" in done.output
    assert not (tmp_path / "out").exists()


def test_one_real_run_from_the_command_line(recipes, tmp_path):
    edit(recipes, RECIPE.partition('[[run]]\nname = "second"')[2], "")
    edit(recipes, '[[run]]\nname = "second"', "")
    edit(recipes, 'seeds = 2\narms = ["original", "mine_uae"]', SHORT)
    arguments = ["reproduce", "--table", "reconstruction", "--recipes", str(recipes)]
    arguments += ["--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "The first" in page
    assert page.count("<img") >= 1
    row = read_json(tmp_path / "out" / "reconstruction" / "first" / "results.json")
    assert row["complete"]
