import inspect
import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from uae_tf import cli, datasets
from uae_tf.commands import contrast, reconstruct, select, show
from uae_tf.commands.choices import Bound, Views, names_in
from uae_tf.experiments.contrast import ContrastSettings
from uae_tf.experiments.contrast.settings import ARMS as CONTRAST_ARMS
from uae_tf.experiments.selection_settings import SelectionSettings
from uae_tf.experiments.settings import ARMS, EXTRA_ARMS, ReconstructionSettings
from uae_tf.mine import MINE
from uae_tf.mine.bounds import BOUNDS


def invoke(*arguments):
    return CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})


def plain(text):
    """Text without the colours that a terminal in the environment may bring."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def run_main(monkeypatch, *arguments):
    """Runs the program as the shell does, and returns its exit code."""
    monkeypatch.setattr("sys.argv", ["uae-tf", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code


@pytest.fixture
def results():
    """Results as large as they get: all arms, three seeds, every measure."""

    def statistic(mean):
        return {"mean": mean, "std": mean / 50, "values": [mean] * 3}

    rows = []
    for arm in ARMS:
        row = {"arm": arm, "test_error": statistic(0.00258), "paper": 0.00258}
        row |= {"train_error": statistic(0.00246), "updates": 24000, "seconds": 4000.0}
        if arm not in ("original", "original_short", "duplicated"):
            row |= {"success_rate": statistic(0.9871), "l2": statistic(5.123)}
            row |= {"relative_loss_change": statistic(-0.123), "cosine": statistic(0.8)}
            row |= {"linf": statistic(0.7), "mutual_information": statistic(0.41)}
        rows.append(row)
    settings = {"arms": list(ARMS), "seeds": 3}
    verdict = {"sentence": "mine_uae shows no effect [beyond] original."}
    return {"rows": rows, "settings": settings, "verdict": verdict, "complete": True}


def test_help_names_the_commands():
    for arguments in ((), ("--help",)):
        text = plain(invoke(*arguments).output)
        assert "reconstruct" in text
        assert "datasets" in text
        assert "Unsupervised adversarial examples" in text


def test_help_of_reconstruct_teaches():
    found = invoke("reconstruct", "--help")
    assert found.exit_code == 0
    text = plain(found.output)
    options = inspect.signature(reconstruct.reconstruct_command).parameters
    for name in options:
        assert f"--{name.replace('_', '-')}" in text
    for name in (*reconstruct.DATASETS, *EXTRA_ARMS):
        assert name in text
    assert "honest controls" in text
    assert "--dataset mnist --samples 2000" in text


def test_help_of_reconstruct_names_the_sets_it_takes(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "circles" not in plain(invoke("reconstruct", "--help").output)
    assert set(reconstruct.DATASETS) == set(datasets.names()) - {"circles"}
    assert run_main(monkeypatch, "reconstruct", "--dataset", "circles") == 2
    assert "does not fit: `x` has values outside bounds" in capsys.readouterr().err


def test_every_setting_is_an_option_with_the_same_default():
    options = inspect.signature(reconstruct.reconstruct_command).parameters
    defaults = {name: option.default for name, option in options.items()}
    assert defaults.pop("out") is None
    assert defaults.pop("resume") is False
    assert defaults.pop("workers") == 0
    for name in ("arms", "conventional"):
        defaults[name] = names_in(defaults[name])
    assert defaults == ReconstructionSettings().to_dict()


def test_every_setting_of_select_is_an_option_with_the_same_default():
    options = inspect.signature(select.select_command).parameters
    defaults = {name: option.default for name, option in options.items()}
    assert defaults.pop("out") is None
    assert defaults.pop("resume") is False
    assert defaults.pop("workers") == 0
    defaults["arms"] = names_in(defaults["arms"])
    assert defaults == SelectionSettings().to_dict()


def test_views_and_bounds_are_those_of_the_estimator():
    for views in Views:
        assert MINE(views=views.value).views == views.value
    assert [bound.value for bound in Bound] == list(BOUNDS)


def test_options_reach_the_selection(monkeypatch, results):
    calls = []
    monkeypatch.setattr(select, "select", lambda *a: calls.append(a) or results)
    options = ["--dataset", "isolet", "--features", "20", "--legacy", "--no-baselines"]
    found = invoke("select", *options, "--arms", "original,mine_uae")
    assert found.exit_code == 0, found.output
    ((settings, out, resume, _, workers),) = calls
    assert settings == SelectionSettings(
        dataset="isolet",
        features=20,
        legacy=True,
        baselines=False,
        arms=("original", "mine_uae"),
    )
    assert out.as_posix() == "runs/select-isolet"
    assert resume is False
    assert workers == 0


def test_options_reach_the_contrastive_experiment(monkeypatch, results):
    calls = []
    monkeypatch.setattr(contrast, "contrast", lambda *a: calls.append(a) or results)
    assert invoke("contrast").exit_code == 0
    options = ["--preset", "paper", "--arms", "all", "--width", "32", "--start"]
    options += ["strong", "--views", "6", "--precision", "bfloat16", "--tensorboard"]
    found = invoke("contrast", *options, "--seeds", "1", "--resume")
    assert found.exit_code == 0, found.output
    (plain_settings, out, resume, *_), (settings, _, is_resumed, *_) = calls
    assert plain_settings == ContrastSettings()
    assert out.as_posix() == "runs/contrast-cifar10"
    assert (resume, is_resumed) == (False, True)
    assert settings == ContrastSettings(
        recipe_name="paper",
        arms=CONTRAST_ARMS,
        width=32,
        preset="strong",
        num_views=6,
        precision="bfloat16",
        tensorboard=True,
        seeds=1,
    )


def test_options_reach_the_experiment(monkeypatch, results, tmp_path):
    calls = []
    monkeypatch.setattr(
        reconstruct, "reconstruct", lambda *a: calls.append(a) or results
    )
    options = ["--model", "sparse", "--arms", "original, mine_uae", "--seeds", "2"]
    options += ["--source-model", "conv", "--target", "clean", "--resume"]
    options += ["--views", "compressive", "--bound", "nwj", "--workers", "4"]
    found = invoke("reconstruct", *options, "--data-dir", "there", "--out", "here")
    assert found.exit_code == 0, found.output
    ((settings, out, resume, console, workers),) = calls
    assert settings == ReconstructionSettings(
        model="sparse",
        arms=("original", "mine_uae"),
        seeds=2,
        source_model="conv",
        target="clean",
        views="compressive",
        bound="nwj",
        data_dir="there",
    )
    assert str(out) == "here"
    assert resume is True
    assert workers == 4
    assert console.stderr
    invoke("reconstruct", "--dataset", "mnist", "--model", "conv")
    assert calls[1][1].as_posix() == "runs/mnist-conv"


def test_a_pipe_gets_the_table_the_verdict_and_the_paths(monkeypatch, results):
    monkeypatch.setattr(reconstruct, "reconstruct", lambda *_: results)
    found = CliRunner().invoke(cli.app, ["reconstruct", "--out", "a[b]" + 90 * "c"])
    assert found.exit_code == 0
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert lines[0].startswith("Arms of the comparison")
    assert "\N{HORIZONTAL ELLIPSIS}" not in found.stdout
    assert "more column" not in found.stdout
    for title in ("cosine", "MI", "updates", "time"):
        assert title in " ".join(lines[:6])
    for arm in ARMS:
        assert sum(line.startswith(f"  {arm} ") for line in lines) == 1
    assert results["verdict"]["sentence"] in lines
    # Not wrapped, and nothing in it taken for markup: it is there to be copied.
    folder = "a[b]" + 90 * "c"
    assert lines[-1] == (
        f"Results: {folder}/results.json  Report: {folder}/report.html"
    )


def test_baselines_and_findings_are_shown(results, capsys, tmp_path):
    baseline = {"arm": "variance", "linear_error": 0.02, "accuracy": 0.8123}
    findings = ["The first finding.", "The second."]
    show.show(results | {"baselines": [baseline], "findings": findings}, tmp_path)
    text = capsys.readouterr().out
    assert re.search(r"variance +2\.000 +81\.23", text)
    assert text.index("variance") < text.index(findings[0]) < text.index(findings[1])


@pytest.mark.parametrize("width", [80, 100, 132])
def test_the_table_fits_a_terminal(monkeypatch, results, width, tmp_path):
    screen = io.StringIO()

    def console(**settings):
        return Console(file=screen, force_terminal=True, width=width, **settings)

    monkeypatch.setattr(show, "Console", console)
    show.show(results, tmp_path)
    text = plain(screen.getvalue())
    table = text[: text.index("mine_uae shows")]
    assert max(map(len, table.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in table
    assert "2.580 \N{PLUS-MINUS SIGN} 0.052" in table
    # The essential columns are all there, whatever the width.
    for title in ("paper", "training", "ASR", "L2", "updates"):
        assert title in table
    assert ("cosine" in table) == (width == 132)


def test_an_interrupted_run_says_how_to_go_on(monkeypatch, results):
    results |= {"complete": False, "verdict": None}
    monkeypatch.setattr(reconstruct, "reconstruct", lambda *_: results)
    found = invoke("reconstruct", "--out", "here")
    assert found.exit_code == 130
    assert "Interrupted. Go on with the same command and --resume" in found.stdout


def test_data_sets_are_listed_one_a_line():
    assert invoke("datasets", "list").stdout.split("\n") == [*datasets.names(), ""]


def test_a_data_set_is_prepared_from_a_folder(monkeypatch):
    calls = []
    monkeypatch.setattr(datasets, "prepare", lambda *a: calls.append(a) or "data/coil")
    options = ["--from", "files", "--data-dir", "data"]
    found = invoke("datasets", "prepare", "coil20", *options)
    assert found.stdout == "data/coil\n"
    assert calls == [("coil20", Path("files"), Path("data"))]


def test_what_is_missing_to_prepare_is_one_line(monkeypatch, capsys, tmp_path):
    options = ["--from", str(tmp_path), "--data-dir", str(tmp_path / "data")]
    assert run_main(monkeypatch, "datasets", "prepare", "coil20", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: Data set 'coil20' needs the file 'coil-20-proc.zip'")
    assert "sha256 3ada39d8" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "digit"), "Unknown data set. Received: name='digit'."),
        (("--arms", "original,mine"), "`arms` must be one of: original, "),
        (("--arms", ""), "`arms` is empty."),
        (("--samples", "5000"), "samples=5000 asks for more than there is"),
        (("--similarity-weight", "nan"), "`similarity_weight` must be a finite"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    arguments, message, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert run_main(monkeypatch, "reconstruct", *arguments) == 2
    found = capsys.readouterr()
    assert found.out == ""
    (line,) = found.err.splitlines()
    assert line.startswith(f"Error: {message}")
    assert not list(tmp_path.iterdir())


def test_an_error_shows_brackets_and_what_the_system_says(monkeypatch, capsys):
    for error in (ValueError("expected [bold]"), PermissionError(13, "Denied", "[x]")):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(reconstruct, "reconstruct", fail)
        assert run_main(monkeypatch, "reconstruct") == 2
        assert capsys.readouterr().err == f"Error: {error}\n"


def test_an_unknown_choice_names_those_there_are():
    found = invoke("reconstruct", "--model", "dens")
    assert found.exit_code == 2
    for name in ("dense", "sparse", "conv", "adversarial"):
        assert name in plain(found.output)
