"""Who computes which shard, where workers die or somebody wants to stop."""

import signal

import pytest

from uae_tf.generation.dispatch import MAX_DEATHS, Died, dispatch, in_process
from uae_tf.generation.journal import Failure, Record
from uae_tf.generation.stopping import polite_stop


def record(shard):
    return Record(shard, 1, 1, 0, 1, "", 0.0, 1)


class Crew:
    """A pool whose workers die over a shard so many times, or before their work."""

    def __init__(self, deaths=None, size=1, are_stillborn=()):
        self.size, self.is_closed, self.begun = size, False, []
        self._deaths, self._are_stillborn = dict(deaths or {}), iter(are_stillborn)

    def start(self):
        return Member(next(self._are_stillborn, False))

    def wait(self, members):
        return [(members[0], self._answer(members[0]))]

    def close(self):
        self.is_closed = True

    def _answer(self, member):
        shard = member.shard
        if shard is None:
            return Died() if member.is_stillborn else None
        self.begun.append(shard)
        self._deaths[shard] = self._deaths.get(shard, 0) - 1
        return Died() if self._deaths[shard] >= 0 else record(shard)


class Member:
    def __init__(self, is_stillborn):
        self.is_stillborn, self.shard = is_stillborn, None

    def submit(self, shard):
        self.shard = shard


def run(crew, shards=range(4), should_stop=lambda: False):
    found = list(dispatch(crew, shards, should_stop))
    assert crew.is_closed
    return found


@pytest.mark.parametrize("size", [1, 3])
def test_what_a_dead_worker_had_in_hand_goes_to_another(size):
    crew = Crew({1: MAX_DEATHS - 1}, size)
    assert sorted(r.shard for r in run(crew)) == [0, 1, 2, 3]
    assert crew.begun.count(1) == MAX_DEATHS


def test_a_shard_that_kills_its_workers_is_a_failure_and_the_others_are_computed():
    crew = Crew({2: 100})
    *done, failed = sorted(run(crew), key=lambda r: isinstance(r, Failure))
    assert [r.shard for r in done] == [0, 1, 3]
    assert (failed.shard, failed.is_fatal) == (2, False)
    assert "3 workers died" in failed.error
    assert crew.begun.count(2) == MAX_DEATHS


def test_workers_that_never_begin_are_counted_in_a_row():
    # Each shard kills its first worker, and the one that follows dies at its birth.
    crew = Crew(dict.fromkeys(range(6), 1), are_stillborn=[False, True] * 6)
    assert [r.shard for r in run(crew, range(6))] == list(range(6))


def test_after_a_signal_no_shard_begins():
    crew = Crew()
    found = run(crew, range(4), lambda: len(crew.begun) >= 2)
    assert [r.shard for r in found] == [0, 1]


def test_after_a_signal_none_begins_in_this_process_either(monkeypatch):
    class Worker:
        def __init__(self, job):
            self.start, self.attempt = lambda: None, done.append

    done = []
    monkeypatch.setattr("uae_tf.generation.dispatch.ShardWorker", Worker)
    list(in_process(None, range(4), lambda: len(done) >= 2))
    assert done == [0, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_remembered_and_handlers_come_back(number):
    before = signal.getsignal(number)
    is_interrupted = False
    try:
        with polite_stop() as should_stop:
            assert not should_stop()
            signal.raise_signal(number)
            assert should_stop()
    except KeyboardInterrupt:
        is_interrupted = True
    # A scheduler's signal ends in a status, the user's own as usual.
    assert is_interrupted == (number == signal.SIGINT)
    assert signal.getsignal(number) is before


def test_a_second_interrupt_does_not_wait():
    def interrupt_twice():
        with polite_stop():
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
            pytest.fail("went on")

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
