"""Experiments on several processes: the numbers of one process, errors and deaths."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from uae_tf import processes
from uae_tf.experiments import experiment
from uae_tf.experiments import side_by_side as side_by_side_module
from uae_tf.experiments.arrays import read_arrays
from uae_tf.experiments.contrast import ContrastSettings
from uae_tf.experiments.contrast.bench import ContrastBench
from uae_tf.experiments.progress import JobProgress
from uae_tf.experiments.reconstruction import reconstruct
from uae_tf.experiments.seed_run import ReconstructionBench
from uae_tf.experiments.selection import select
from uae_tf.experiments.selection_settings import SelectionSettings
from uae_tf.experiments.semi_supervised import (
    SemiSupervisedSettings,
    semi_supervised,
    trial_worker,
)
from uae_tf.experiments.semi_supervised import experiment as semi_supervised_experiment
from uae_tf.experiments.semi_supervised.bench import Bench
from uae_tf.experiments.semi_supervised.pictures import Pictures
from uae_tf.experiments.settings import ReconstructionSettings
from uae_tf.experiments.side_by_side import side_by_side
from uae_tf.experiments.storage import read_json, write_json
from uae_tf.processes import threads_each

SETTINGS = SelectionSettings(
    dataset="digits",
    samples=80,
    epochs=1,
    seeds=2,
    arms=("original",),
)


def without_times(results):
    """Numbers of all runs but how long they took."""
    return {
        (arm, seed): {k: v for k, v in entry.items() if "seconds" not in k}
        for runs in (results["runs"], results.get("further", {}))
        for arm, entries in runs.items()
        for seed, entry in entries.items()
    }


@pytest.mark.slow
def test_workers_find_what_one_process_finds_and_go_on(tmp_path, no_report):
    two, one = tmp_path / "two", tmp_path / "one"
    found, alone = select(SETTINGS, two, workers=2), select(SETTINGS, one)
    assert found["complete"]
    assert {arm for arm, _ in without_times(found)} > {"original", "random"}
    assert without_times(found) == without_times(alone)
    names = [{p.name for p in f.rglob("*") if p.is_file()} for f in (two, one)]
    assert names[0] == names[1]

    kept = read_json(two / "results.json")
    lost = copy.deepcopy(kept) | {"complete": False}
    del lost["runs"]["original"]["1"], lost["further"]["random"]["1"]
    write_json(two / "results.json", lost)
    resumed = select(SETTINGS, two, resume=True, workers=2)
    assert resumed["complete"]
    assert without_times(resumed) == without_times(alone)
    assert resumed["runs"]["original"]["0"] == kept["runs"]["original"]["0"]


@pytest.fixture
def handed_out(monkeypatch):
    """Tasks, a list for each call; done in this process, but sent as to another."""
    calls = []

    def sent(thing):
        return pickle.loads(pickle.dumps(thing))

    def in_this_process(make_work, tasks, workers, progress):
        calls.append([sent(task) for task in tasks])
        work = sent(make_work)(progress)
        for task in calls[-1]:
            yield from ((0, sent(found)) for found in work(task))

    for module in (experiment, semi_supervised_experiment):
        monkeypatch.setattr(module, "side_by_side", in_this_process)
    return calls


def test_other_seeds_wait_for_the_noise_that_one_chooses(
    tmp_path, handed_out, instant_training
):
    settings = ReconstructionSettings(
        samples=32, epochs=1, seeds=3, arms=("original", "gaussian_tuned")
    )
    found = reconstruct(settings, tmp_path / "shared", workers=2)
    first, second = ([(t.seed, t.arms) for t in tasks] for tasks in handed_out)
    assert first[0] == (0, ("original", "gaussian_tuned"))
    assert first[1:] == [(1, ("original",)), (2, ("original",))]
    assert second == [(1, ("gaussian_tuned",)), (2, ("gaussian_tuned",))]
    alone = reconstruct(settings, tmp_path / "alone")
    assert found["tuning"] == alone["tuning"]
    assert without_times(found) == without_times(alone)


def test_settings_are_chosen_before_the_arms(
    tmp_path, handed_out, no_report, monkeypatch
):
    def train(self, trial, seed, progress):
        error = 10.0 + seed - (trial.value or 0.0)
        return None, {"test_error": error, "validation_error": error, "seconds": 1.0}

    def drawn_from(bench, trial, model, seed):
        return {f"boundary/{trial.key}": np.full((2, 2), trial.value)}

    monkeypatch.setattr(Bench, "train", train)
    monkeypatch.setattr(trial_worker, "drawn_from", drawn_from)
    monkeypatch.setattr(Pictures, "figures", lambda *_: {})
    settings = SemiSupervisedSettings(
        methods=("vat",), seeds=2, choice_seeds=1, epsilon_grid=(0.01, 0.02)
    )
    found = semi_supervised(settings, tmp_path / "two", workers=2)
    first, second = ([(t.trial.key, t.seed) for t in tasks] for tasks in handed_out)
    assert first == [("vat@0.01", 0), ("vat@0.02", 0)]
    # The one seed that chose has this length by now.
    assert second == [("vat@0.02", 1)]
    alone = semi_supervised(settings, tmp_path / "one")
    assert found["complete"]
    assert found["runs"] == alone["runs"]
    arrays = read_arrays(tmp_path / "two" / "figures.npz")
    assert set(arrays) == {"boundary/vat@0.01", "boundary/vat@0.02"}


def test_a_bench_is_made_of_settings_alone(data_dir):
    settings = ContrastSettings(samples=64, side=16, data_dir=str(data_dir))
    assert len(ContrastBench.load(settings).data.x_train) == 64
    data = ReconstructionBench.load(ReconstructionSettings(samples=50)).data
    assert len(data.x_train) == 50


def make_work(folder, steps):
    """Work for the tests below: notes its process, then does as it is told."""

    def work(task):
        steps.start(f"task {task}")
        steps.update(1, 2)
        threads = tf.config.threading.get_intra_op_parallelism_threads()
        (folder / f"{os.getpid()}").write_text(f"{threads}")
        yield task
        if task == "raise":
            raise KeyError("no such number")
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "sleep":
            time.sleep(60)

    return work


def run_tasks(folder, tasks, workers=1):
    progress = JobProgress(len(tasks), Console(quiet=True), lanes=workers)
    return side_by_side(partial(make_work, folder), tasks, workers, progress)


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(process):
    for _ in range(100):
        if not is_alive(process):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_an_error_in_a_worker_says_where(tmp_path):
    found = run_tasks(tmp_path, ["fine", "raise", "never"])
    with pytest.raises(KeyError, match="no such number") as caught:
        list(found)
    assert "in work\n" in caught.value.__notes__[0]


@pytest.mark.parametrize("special", [False, True])
def test_an_error_of_a_worker_is_raised_with_its_traceback(monkeypatch, special):
    """The worker's part in this process: what it sends is what the parent receives."""

    class Special(Exception):  # Not to be pickled: no module has it.
        pass

    def failing_work(steps):
        def work(task):
            yield task
            raise Special("no such number") if special else KeyError("no such number")

        return work

    class Worker:
        def __init__(self, serve, arguments, *_):
            sent = []
            pipe = SimpleNamespace(send=sent.append, recv=lambda: "task")
            serve(pipe, *arguments)
            told = iter(pickle.loads(pickle.dumps(sent)))
            self.receive = lambda: next(told)
            self.send = lambda task: None

        @staticmethod
        def end(children):
            assert len(children) == 1

    monkeypatch.setattr(side_by_side_module, "Child", Worker)
    monkeypatch.setattr(side_by_side_module, "ready", list)
    progress = JobProgress(1, Console(quiet=True))
    found = side_by_side(failing_work, ["task"], 1, progress)
    assert next(found) == (0, "task")
    kind = RuntimeError if special else KeyError
    with pytest.raises(kind, match="no such number") as caught:
        next(found)
    assert "in work\n" in caught.value.__notes__[0]


def test_a_process_has_its_share_of_the_machine(monkeypatch):
    monkeypatch.setattr(processes, "usable_cores", lambda: 6)
    assert [threads_each(number) for number in (1, 2, 4, 7)] == [6, 3, 1, 1]
    shares, arguments = [], []
    monkeypatch.setattr(processes, "share_machine", lambda *a: shares.append(a))
    monkeypatch.setattr(processes.signal, "signal", lambda *_: None)
    level = tf.get_logger().level
    processes._begin(lambda *a: arguments.append(a), "pipe", ("a",), 3, 1, level)
    assert (shares, arguments) == ([(3, 1)], [("pipe", "a")])


def test_a_worker_that_died_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ChildProcessError, match=r"exit code -9.*--resume.*reproduce"):
        list(run_tasks(tmp_path, ["fine", "die"]))


@pytest.mark.slow
def test_workers_end_where_nobody_reads_on(tmp_path):
    with closing(run_tasks(tmp_path, ["sleep"], workers=2)) as found:
        assert next(found) == (0, "sleep")
    (path,) = tmp_path.iterdir()
    # Its share of the cores was all of them: there was nothing for the other worker.
    assert path.read_text() == f"{threads_each(1)}"
    assert wait_for_end(int(path.name))


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_side_by_side import run_tasks
if __name__ == "__main__":
    for _ in run_tasks(Path(sys.argv[1]), ["fine"] * 10**6):
        pass
"""


@pytest.mark.slow
def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    script, folder = tmp_path / "parent.py", tmp_path / "workers"
    folder.mkdir()
    script.write_text(PARENT.format(folder=os.path.dirname(__file__)))
    parent = subprocess.Popen([sys.executable, script, folder])
    try:
        while not list(folder.iterdir()):
            assert parent.poll() is None
            time.sleep(0.1)
    finally:
        parent.kill()
        parent.wait()
    (process,) = (int(path.name) for path in folder.iterdir())
    assert wait_for_end(process)
