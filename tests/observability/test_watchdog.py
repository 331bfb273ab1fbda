"""The watchdog: who holds up the event loop is named."""

import logging
from types import SimpleNamespace

import pytest
import trio

from exai_trio.observability import watchdog as module
from exai_trio.observability.watchdog import Watchdog, watching


@pytest.fixture
def clock(monkeypatch):
    """The real time that steps take, as the watchdog sees it: it goes on only by what is added to it."""
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(module, "time", clock)
    return clock


async def test_a_long_step_is_logged_with_its_task(caplog, clock):
    """The task's name and the time, once; short steps are not mentioned."""

    async def hog():
        await trio.lowlevel.checkpoint()
        clock.now += 0.3

    async def neighbour():
        for _ in range(10):
            await trio.lowlevel.checkpoint()

    with caplog.at_level(logging.WARNING), watching(Watchdog(longest_s=0.2)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hog, name="the hog")
            nursery.start_soon(neighbour, name="the neighbour")

    (record,) = caplog.records
    assert ("event loop held up", "the hog") == (record.message, record.task)
    assert 300 == record.took_ms


async def test_a_loop_that_is_always_late_does_not_fill_the_log(caplog, clock):
    """One line a second; the others are counted."""
    watchdog = Watchdog(longest_s=0.0)
    with caplog.at_level(logging.WARNING), watching(watchdog):
        for _ in range(100):
            await trio.lowlevel.checkpoint()
            clock.now += 0.015

    assert 2 == len(caplog.records)
    assert watchdog._unsaid + caplog.records[-1].unsaid > 90
    assert 99 <= sum(watchdog.steps.counts)


async def test_it_leaves_with_its_block():
    """Afterwards no step is looked at."""
    watchdog = Watchdog()
    with watching(watchdog):
        await trio.lowlevel.checkpoint()
    began = watchdog._began
    await trio.lowlevel.checkpoint()

    assert began == watchdog._began


def test_each_step_is_counted_by_itself(monkeypatch):
    """A short one after a long one, without a wait between, is short; what was waited for is no step."""
    times = iter([100.0, 100.02, 100.021, 200.0, 200.001])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    watchdog, task = Watchdog(), SimpleNamespace(name="x")
    for steps in (2, 1):
        watchdog.after_io_wait(0.0)
        for _ in range(steps):
            watchdog.after_task_step(task)

    assert (2, 0, 1) == tuple(watchdog.steps.counts[:3])
