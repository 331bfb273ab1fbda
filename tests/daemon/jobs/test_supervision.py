"""Jobs: run again after a fault, give up loudly, never take a neighbour down."""

import pytest
import trio

from exai_trio.daemon.jobs.supervision import JobGaveUp, every


async def test_a_job_runs_each_period(autojump_clock):
    """It begins at once, and eleven seconds hold six runs of a job with a period of two."""
    runs = []

    async def job():
        await trio.lowlevel.checkpoint()
        runs.append(trio.current_time())

    start = trio.current_time()
    with trio.move_on_after(11):
        await every(2.0, job)

    assert [0, 2, 4, 6, 8, 10] == [run - start for run in runs]


async def test_a_fault_is_logged_once_and_the_job_runs_again(autojump_clock, caplog):
    """The next run comes after the back-off, and a healthy run resets it."""
    runs = []

    async def job():
        await trio.lowlevel.checkpoint()
        runs.append(trio.current_time())
        if len(runs) in {1, 2}:
            raise OSError("disk full")

    start = trio.current_time()
    with trio.move_on_after(12):
        await every(1.0, job)

    assert [0.0, 1.5, 3.5, 4.5] == [round(run - start, 1) for run in runs[:4]]
    assert 2 == len([r for r in caplog.records if r.message == "job failed"])


async def test_a_job_that_always_fails_gives_up_loudly(autojump_clock):
    """Ten faults within ten minutes end it with JobGaveUp."""

    async def doomed():
        await trio.lowlevel.checkpoint()
        raise OSError("disk full")

    with pytest.raises(JobGaveUp, match="doomed"):
        await every(1.0, doomed)


async def test_it_gives_up_however_long_the_daemon_has_run(autojump_clock):
    """The window is the last ten minutes, not the first."""

    async def doomed():
        await trio.lowlevel.checkpoint()
        raise OSError("disk full")

    await trio.sleep(50_000)
    with trio.move_on_after(3600) as limit, pytest.raises(JobGaveUp):
        await every(1.0, doomed)

    assert not limit.cancelled_caught


async def test_rare_faults_never_add_up(autojump_clock):
    """Faults further apart than the window do not count together."""
    runs = 0

    async def job():
        nonlocal runs
        await trio.lowlevel.checkpoint()
        runs += 1
        raise OSError("disk full")

    with trio.move_on_after(300 * 3600) as limit:
        await every(600.0, job)

    assert limit.cancelled_caught
    assert runs > 100
