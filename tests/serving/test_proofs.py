"""What is exported needs neither Keras nor uae_tf, nor Python."""

import re
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli

GOLDEN = Path(__file__).with_name("saved_model_cli.txt")


def roots(modules):
    return {name.partition(".")[0] for name in modules}


@pytest.mark.slow
def test_a_process_with_tensorflow_alone_gives_the_same(ask, check_answers):
    answers, report = ask("tensorflow_only.py")
    check_answers(answers, report["errors"])
    assert "tensorflow" in roots(report["modules"])
    assert not roots(report["modules"]) & {"uae_tf", "keras"}


def test_the_c_api_without_pythons_tensorflow_gives_the_same(ask, check_answers):
    answers, report = ask("c_api.py")
    check_answers(answers, report["errors"])
    assert report["version"] == tf.__version__
    assert not roots(report["modules"]) & {"uae_tf", "keras", "tensorflow"}


def test_saved_model_cli_shows_what_the_golden_file_shows(served, monkeypatch, capsys):
    """After a wanted change: write `shown` to the golden file and look at the diff."""
    command = ["saved_model_cli", "show", "--dir", str(served.path), "--all"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        saved_model_cli.main()
    assert not ended.value.code
    printed = capsys.readouterr().out
    # Which ops there are, and the numbers of calls, are TensorFlow's own affair and
    # change with its versions; names, types and shapes are what clients rely on.
    shown = re.sub(r"^The MetaGraph with tag set .*\n", "", printed, flags=re.M)
    shown = re.sub(r"(StatefulPartitionedCall)_\d+:", r"\1:", shown)
    assert shown.strip() == GOLDEN.read_text().strip()
    assert "Xla" not in printed
