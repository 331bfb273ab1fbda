"""When the daemon is left, when it is tried again, and what those who wait are told meanwhile."""

import pytest
import trio

from exai_trio.transport.websocket import NotListening


async def test_a_daemon_that_falls_silent_is_left(make_world, config, autojump_clock):
    """A half-open connection is found within interval plus timeout, and what waits is sent to the next."""
    async with make_world(silent=True) as world:
        world.call(1)
        await world.daemon.wait_for("call_tool")
        world.daemon.fall_silent()
        start = trio.current_time()
        await world.daemon.wait_for("call_tool", 2)
        took = trio.current_time() - start

    assert took < config.ws_ping_interval + config.ws_ping_timeout + 2


async def test_the_next_daemon_is_visited_at_once_if_it_is_there_already(
    make_world, autojump_clock
):
    """That is no storm, however many daemons replace each other; one that asks for a moment has it."""
    async with make_world(silent=True) as world:
        start = trio.current_time()
        for count in range(1, 13):
            await world.daemon.wait_for("list_tools", count)
            await world.daemon.send({"op": "bye", "reason": "draining", "retry_after_s": 0})
        await world.daemon.wait_for("list_tools", 13)
        at_once = trio.current_time() - start
        await world.daemon.send({"op": "bye", "reason": "draining", "retry_after_s": 0.9})
        await world.daemon.wait_for("list_tools", 14)
        later = trio.current_time() - start - at_once

    assert at_once < 12
    assert 0.9 <= later < 2


async def test_a_daemon_that_was_started_is_visited_at_once(make_world, autojump_clock):
    """However long it was away before."""
    started_at = []
    async with make_world(up=False, unreachable=NotListening) as world:

        async def start_late():
            world.daemon.up = trio.current_time() > 60
            if world.daemon.up:
                started_at.append(trio.current_time())
            return world.daemon.up

        world.link.ensure_daemon = start_late
        await world.daemon.wait_for("hello")
        visited_at = trio.current_time()

    assert [visited_at] == started_at


async def test_a_daemon_is_started_only_while_there_is_none(make_world, autojump_clock):
    """If it could not be started the usual pauses go on."""
    tries = []
    async with make_world() as world:

        async def fail_to_start():
            tries.append(trio.current_time())
            return False

        world.link.ensure_daemon = fail_to_start
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        await world.daemon.wait_for("list_tools", 2)
        before = len(tries)
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(20)

    assert 0 == before
    assert 2 < len(tries) < 9


async def test_connections_that_last_are_no_storm(make_world, autojump_clock):
    """One that brought nothing for two seconds was worth making: the next is made at once."""
    async with make_world(silent=True) as world:
        for count in range(1, 13):
            await world.daemon.wait_for("list_tools", count)
            await trio.sleep(2)
            await world.daemon.hang_up()
        took = trio.current_time()

    assert took < 12 * (2 + 1)


async def test_a_storm_after_good_days_is_slowed_too(make_world, autojump_clock):
    """What an earlier connection brought says nothing of the later ones."""
    async with make_world() as world:
        world.call(1)
        await world.lines.wait_answer(1)
        await trio.sleep(5)
        world.daemon.dropped_visits = 1_000_000
        await world.daemon.hang_up()
        await trio.sleep(60)

    assert world.daemon.visits <= 6 + 60 / 5


@pytest.mark.parametrize(
    ("facts", "why"),
    [({"up": False}, "nothing listens"), ({"mute_visits": 9}, "no answer in time")],
)
async def test_who_waits_is_told_why_the_daemon_is_away(make_world, autojump_clock, facts, why):
    """In the words of whatever ended the last attempt."""
    async with make_world(**facts) as world:
        world.call(1, token="p")
        await trio.sleep(20)
        told = world.lines.progress()

    assert f"({why})" in told[0]["message"]


async def test_who_waits_is_told_during_the_longest_pause_too(make_world, config, autojump_clock):
    """Editors give up what says nothing."""
    async with make_world(up=False) as world:
        await trio.sleep(300)
        world.call(1, token=5)
        await trio.sleep(60)
        told = world.lines.progress()

    assert len(told) > 60 / config.progress_interval_s / 2


async def test_an_absence_is_told_once_a_second_at_most(make_world, autojump_clock):
    """However often the daemon is tried."""
    async with make_world(silent=True) as world:
        world.call(1, token="p")
        now = trio.current_time()
        for moment in (0.0, 0.5, 0.9, 1.0, 1.5):
            world.bridge.away("away", now + moment)
        await world.bridge.lines.wait_empty()
        told = world.lines.progress()

    assert 2 == len(told)
