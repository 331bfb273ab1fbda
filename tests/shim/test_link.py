"""Connections one after the other: when the daemon is left, and that it is come back to."""

import logging

import attrs
import pytest
import trio

from exai_trio.system.home_id import HOME_LOCK
from exai_trio.transport.websocket import NotListening


@attrs.define
class Ended:
    """A starter whose daemon ended."""

    last_words: str = ""
    served: int = 0

    async def ensure(self):
        return False

    def note_served(self):
        self.served += 1


BYE = {"op": "bye", "reason": "draining", "retry_after_s": 1.0}


async def test_a_superseded_session_is_left_to_the_other(make_world, autojump_clock):
    """bye superseded: a fresh session id, and what waits is sent again."""
    async with make_world(silent=True) as world:
        world.call(1)
        await world.daemon.wait_for("call_tool")
        await world.daemon.send({"op": "bye", "reason": "superseded", "retry_after_s": 0})
        await world.daemon.wait_for("call_tool", 2)
        first, second = (hello["session_id"] for hello in world.daemon.ops("hello"))

    assert first != second


async def test_a_draining_daemon_is_given_its_time(make_world, autojump_clock):
    """bye draining: the next attempt comes after retry_after_s, and the call is not lost."""
    async with make_world(silent=True) as world:
        world.call(1)
        await world.daemon.wait_for("call_tool")
        start = trio.current_time()
        await world.daemon.send({"op": "bye", "reason": "draining", "retry_after_s": 7})
        await world.daemon.wait_for("call_tool", 2)

    assert trio.current_time() - start >= 7


async def test_a_silent_daemon_is_left(make_world, autojump_clock):
    """A daemon that does not answer the hello in time is tried again."""
    async with make_world(mute_visits=2) as world:
        world.call(1)
        await world.lines.wait_answer(1)

    assert world.daemon.visits == 3


async def test_nothing_is_left_wherever_the_link_is_cancelled(
    make_world, cancel_at_every_step, autojump_clock
):
    """Cancelled at any step, the link ends at once; no call is answered twice."""
    worlds = []

    async def scenario():
        async with make_world() as world:
            worlds.append(world)
            world.call(1)
            world.call(2, key="x", token="t")
            await world.daemon.wait_for("call_tool", 2)
            world.bridge.withdraw(1)
            await world.daemon.hang_up()
            await world.daemon.wait_for("hello", 2)
            await world.lines.wait_answer(2)

    def invariant():
        if worlds:
            world = worlds.pop()
            ids = [message["id"] for message in world.lines.said() if "id" in message]
            assert len(ids) == len(set(ids))
            assert not list(world.config.state.glob("tools.json.*"))

    steps = await cancel_at_every_step(scenario, invariant)

    assert steps > 20


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


@pytest.mark.parametrize(("home", "starts"), [("another", False), ("own", True), (None, True)])
async def test_a_daemon_of_another_home_is_not_replaced(make_world, autojump_clock, home, starts):
    """Whoever started it, a container for instance, starts it again, and finds its port free. An older daemon does not say."""
    tries = []
    async with make_world() as world:
        state = world.link.config.state
        state.mkdir(parents=True, exist_ok=True)
        (state / HOME_LOCK).write_text("own\n")
        facts = {"name": "exai", "version": "1", "boot_id": "b", "home": home}
        world.daemon.server = {key: value for key, value in facts.items() if value}

        async def note_try():
            tries.append(trio.current_time())
            return False

        world.link.ensure_daemon = note_try
        await world.daemon.wait_for("list_tools")
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(20)
        world.daemon.up = True
        await world.daemon.wait_for("list_tools", 2)

    assert starts == bool(tries)


async def test_who_served_is_told_to_the_starter(make_world, autojump_clock):
    """With each connection that is proven."""
    async with make_world() as world:
        world.link.starter = starter = Ended()
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        await world.daemon.wait_for("list_tools", 2)

    assert 1 <= starter.served <= 2


async def test_an_idle_shim_leaves_at_once(make_world, autojump_clock):
    """And comes back when the daemon said, as does one whose daemon is replaced already."""
    async with make_world(silent=True) as world:
        await world.daemon.wait_for("list_tools")
        await world.daemon.send({**BYE, "retry_after_s": 7.0})
        said_at = trio.current_time()
        await world.daemon.wait_for("hello", 2)
        back_at = trio.current_time()
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.send({**BYE, "retry_after_s": 0.0})
        await world.daemon.wait_for("hello", 3)

    assert 7 <= back_at - said_at < 9
    assert trio.current_time() - back_at < 0.5


async def test_the_log_says_how_long_it_was_away(make_world, caplog, autojump_clock):
    """`link connected` names the attempts that it took and the seconds."""
    caplog.set_level(logging.INFO, "exai.shim")
    async with make_world() as world:
        await world.daemon.wait_for("list_tools")
        world.daemon.up = False
        await world.daemon.hang_up()
        await trio.sleep(20)
        world.daemon.up = True
        await world.daemon.wait_for("list_tools", 2)
    first, second = [r for r in caplog.records if r.getMessage() == "link connected"]

    assert (1, 0) == (first.attempts, first.away_s)
    assert second.attempts > 2
    assert 20 <= second.away_s < 60


async def test_the_log_says_where_calls_stand(make_world, caplog, autojump_clock):
    """At each change of the connection, in one line that a person can read; so do the objects themselves."""
    caplog.set_level(logging.INFO, "exai.shim")
    async with make_world(silent=True) as world:
        for id_, key in ((1, "a"), (2, "b")):
            world.call(id_, key=key)
        await world.daemon.wait_for("call_tool", 2)
        await world.daemon.accept("a")
        await world.daemon.wait_for("ack")
        shown = [repr(world.link), repr(world.relay), repr(world.link.conversation)]
        session = world.link.session_id
        await world.daemon.hang_up()
        await world.daemon.wait_for("hello", 2)
    (away,) = [r for r in caplog.records if r.getMessage() == "link away"]

    assert "<Dispatch sent=1 accepted=1>" == away.calls
    received = "<ReceivedFrames last=1 acked=1>"
    assert [
        f"<Link {session} connected {received}>",
        f"<Relay {session} <Availability there> <Dispatch sent=1 accepted=1>>",
        f"<Conversation {session} {received}>",
    ] == shown
