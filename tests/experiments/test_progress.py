import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from uae_tf.experiments import progress
from uae_tf.experiments.progress import JobProgress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when told to."""
    now = [1000.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def drawn_by_progress(clock, jobs=(90.0, 90.0), **console):
    """What is drawn of jobs that take so many seconds."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, **console)
    with JobProgress(len(jobs), console) as bars:
        for number, seconds in enumerate(jobs):
            bars.start(f"seed {number}: original, training")
            bars.update(5, 10)
            clock[0] += seconds
            bars.finish_job()
    return screen.getvalue()


def test_progress_is_drawn_on_a_terminal(clock):
    drawn = drawn_by_progress(clock, force_terminal=True)
    assert "seed 0: original, training" in drawn
    assert "2/2" in drawn
    assert "jobs done" not in drawn


def test_progress_is_a_line_per_job_in_a_log(clock):
    first, second = drawn_by_progress(clock, force_terminal=False).splitlines()
    assert first == (
        "1 of 2 jobs done (seed 0: original, training) after 1 min 30 s, "
        "about 1 min 30 s left"
    )
    assert second.startswith("2 of 2 jobs done (seed 1")
    assert "left" not in second


def test_a_log_hears_of_a_long_step_every_minute(clock):
    """Updates every 20 seconds: one in three is told, the job's end starts anew."""
    screen = io.StringIO()
    with JobProgress(2, Console(file=screen, force_terminal=False)) as bars:
        bars.start("seed 0: original, training")
        for done in range(1, 9):
            clock[0] += 20.0
            bars.update(500 * done, 12_000)
        bars.finish_job()
        bars.start("seed 0: mine_uae, attacking")
        for done in (1, 2, 3):
            clock[0] += 20.0
            bars.update(done, None)
    assert screen.getvalue().splitlines() == [
        "seed 0: original, training: 1,500 of 12,000, about 7 min 00 s left",
        "seed 0: original, training: 3,000 of 12,000, about 6 min 00 s left",
        "1 of 2 jobs done (seed 0: original, training) after 2 min 40 s, "
        "about 2 min 40 s left",
        "seed 0: mine_uae, attacking: 3",
    ]


def test_lanes_of_a_log_have_lines_of_their_own(clock):
    screen = io.StringIO()
    with JobProgress(2, Console(file=screen, force_terminal=False), lanes=2) as bars:
        for lane in (0, 1):
            bars.start(f"seed {lane}", lane)
        clock[0] += 60.0
        for lane in (0, 1, 0, 1):
            bars.update(1, 4, lane)
    assert screen.getvalue().splitlines() == [
        f"seed {lane}: 1 of 4, about 3 min 00 s left" for lane in (0, 1)
    ]


def test_time_left_is_not_that_of_jobs_done_before(clock):
    """Of a resumed run: three jobs are read, one of two is trained."""
    screen = io.StringIO()
    with JobProgress(5, Console(file=screen, force_terminal=False)) as bars:
        bars.skip_jobs(3)
        bars.start("seed 1: mine_uae, training")
        clock[0] += 90.0
        bars.finish_job()
    assert screen.getvalue().splitlines() == [
        "3 of 5 jobs done already",
        "4 of 5 jobs done (seed 1: mine_uae, training) after 1 min 30 s, "
        "about 1 min 30 s left",
    ]


def test_skipped_jobs_leave_less_to_wait_for_and_begin_anew(clock):
    """Two phases: of the second's three jobs two are known."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True)
    with JobProgress(5, console) as bars:
        clock[0] += 500.0
        bars.skip_jobs(0)
        for _ in range(2):
            clock[0] += 60.0
            bars.finish_job()
        (jobs,) = [task for task in bars._bars.tasks if "ends" in task.fields]
        assert progress._seconds_left(jobs) == 180.0
        clock[0] += 40.0
        bars.skip_jobs(2)
        assert progress._seconds_left(jobs) == 60.0
        clock[0] += 60.0
        bars.finish_job()
        assert bars._worked == [60.0] * 3


def test_a_run_that_begins_has_no_line_about_jobs_done_already(clock):
    screen = io.StringIO()
    with JobProgress(2, Console(file=screen, force_terminal=False)) as bars:
        bars.skip_jobs(0)
    assert screen.getvalue() == ""


def test_jobs_side_by_side_have_a_bar_each_and_share_the_time_left(clock):
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=False)
    with JobProgress(6, console, lanes=2) as bars:
        for seed in (0, 1):
            bars.start(f"seed {seed}: original, training", lane=seed)
        clock[0] += 90.0
        bars.finish_job(lane=1)
        clock[0] += 10.0
        bars.finish_job(lane=0)
    first, second = screen.getvalue().splitlines()
    assert first.startswith("1 of 6 jobs done (seed 1: original, training)")
    # Five jobs of 90 seconds, two at a time.
    assert first.endswith(", about 3 min 45 s left")
    # Four of 95 seconds.
    assert second.endswith(", about 3 min 10 s left")


def test_a_notebook_keeps_no_progress(clock):
    assert drawn_by_progress(clock, force_jupyter=True) == ""


def test_a_run_that_waited_for_another_counts_its_own_time(clock):
    screen = io.StringIO()
    bars = JobProgress(2, Console(file=screen, force_terminal=False))
    clock[0] += 600.0
    with bars:
        clock[0] += 5.0
        bars.finish_job()
    assert screen.getvalue() == "1 of 2 jobs done after 5.0 s, about 5.0 s left\n"
