import pytest

from uae_tf.experiments import seed_worker
from uae_tf.experiments.seed_worker import ARM, FURTHER, TUNING, SeedTask, SeedWorker


class Run:
    """Of a seed, without any training."""

    def __init__(self, bench, seed, originals, steps):
        self.seed, self.folder = seed, originals

    def tune(self):
        return {"0.1": 3.0, "0.2": 1.0}

    def run(self, arm, stddev):
        return {"stddev": stddev, "seed": self.seed}

    def further(self, name):
        return {"further": name}


class Pictures:
    def __init__(self, path):
        self.path, self.arms = path, []

    def collect(self, run, arm):
        self.arms.append((run.seed, arm))


@pytest.fixture
def worker(tmp_path):
    return SeedWorker(None, Run, Pictures, tmp_path, None)


def found(worker, *arms, **task):
    return [
        (f.kind, f.name, f.seed, f.numbers) for f in worker(SeedTask(7, arms, **task))
    ]


def test_the_noise_is_chosen_once_and_told_before_its_arm(worker):
    arms = ("original", seed_worker.TUNED)
    expected = [
        (ARM, "original", 7, {"stddev": None, "seed": 7}),
        (TUNING, seed_worker.TUNED, 7, {"0.1": 3.0, "0.2": 1.0}),
        (ARM, seed_worker.TUNED, 7, {"stddev": 0.2, "seed": 7}),
    ]
    assert found(worker, *arms) == expected
    known = found(worker, *arms, tuning={"0.3": 1.0, "0.4": 2.0})
    assert [name for _, name, *_ in known] == list(arms)
    assert known[1][3]["stddev"] == 0.3


def test_only_the_seed_of_the_figures_is_pictured(worker):
    found(worker, "original")
    found(worker, "mine_uae", is_pictured=True, further=("random",))
    assert worker.pictures.arms == [(7, "mine_uae")]


def test_what_is_no_arm_comes_last(worker):
    last = found(worker, "original", further=("random",))[-1]
    assert last == (FURTHER, "random", 7, {"further": "random"})
