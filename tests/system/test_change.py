"""Waiting for a change."""

import trio
from trio.testing import wait_all_tasks_blocked

from exai_trio.system.change import Change


async def test_everybody_who_waits_is_woken_once():
    """Who comes after the word waits for the next one."""
    change, woken = Change(), []

    async def wait(name):
        await change.wait()
        woken.append(name)

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait, "a")
        waiting.start_soon(wait, "b")
        await wait_all_tasks_blocked()
        change.tell()
        waiting.start_soon(wait, "late")
        await wait_all_tasks_blocked()
        first = sorted(woken)
        change.tell()

    assert ["a", "b"] == first
    assert "late" == woken[-1]


async def test_a_word_that_nobody_waits_for_is_forgotten(autojump_clock):
    """It holds for those alone who wait then: each has looked at its condition before."""
    change = Change()
    change.tell()
    with trio.move_on_after(1) as waiting:
        await change.wait()

    assert waiting.cancelled_caught


async def test_who_stops_waiting_takes_nobody_along():
    """A wait that is cancelled leaves the others as they were."""
    change, woken = Change(), []

    async def wait(name):
        await change.wait()
        woken.append(name)

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait, "stays")
        async with trio.open_nursery() as leaving:
            leaving.start_soon(wait, "leaves")
            await wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        change.tell()

    assert ["stays"] == woken
