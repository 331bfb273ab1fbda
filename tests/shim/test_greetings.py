"""What the shim and the daemon say to each other on a new connection, and what is acknowledged on it."""

import attrs
import pytest
import trio


@pytest.mark.parametrize("token", ["", "secret"])
async def test_the_token_goes_to_the_daemon(make_world, config, autojump_clock, token):
    """If there is one: an empty one is none."""
    async with make_world(attrs.evolve(config, ws_token=token)) as world:
        hello = await world.daemon.wait_for("hello")

    assert (token or None) == hello.get("token")


async def test_the_session_that_the_daemon_gives_is_kept(make_world, autojump_clock):
    """The next connection asks for that one."""
    given = {"op": "hello_ack", "ok": True, "session_id": "given", "protocol": 2, "resumed": False}
    async with make_world(greetings=[given]) as world:
        await world.daemon.wait_for("list_tools")
        await world.daemon.hang_up()
        hello = await world.daemon.wait_for("hello", 2)

    assert "given" == hello["session_id"]


async def test_a_new_session_has_no_numbers_yet(make_world, autojump_clock):
    """After bye superseded the daemon is not told of what another session has brought."""
    async with make_world() as world:
        world.call(1)
        await world.lines.wait_answer(1)
        await world.daemon.send({"op": "bye", "reason": "superseded", "retry_after_s": 0})
        hello = await world.daemon.wait_for("hello", 2)

    assert 0 == hello["last_seq"]


async def test_a_daemon_that_says_goodbye_to_the_hello_is_given_its_time(
    make_world, autojump_clock
):
    """It is on its way out, and says when the next may be there."""
    bye = {"op": "bye", "reason": "draining", "retry_after_s": 7}
    async with make_world(greetings=[bye]) as world:
        await world.daemon.wait_for("list_tools")
        took = trio.current_time()

    assert took >= 7
    assert 2 == world.daemon.visits


async def test_a_daemon_that_does_not_answer_the_hello_gets_no_calls(make_world, autojump_clock):
    """Whatever it says instead; who waits is told what that was."""
    async with make_world(greetings=[{"op": "tools_changed"}]) as world:
        world.call(1, token="p")
        await world.lines.wait_answer(1)
        told = world.lines.progress()

    assert "ToolsChanged" in told[0]["message"]
    assert (2, 1) == (world.daemon.visits, len(world.daemon.ops("call_tool")))


async def test_a_connection_is_used_once_a_ping_has_come_back(make_world, autojump_clock):
    """A door behind which nobody speaks gets no calls."""
    async with make_world(unproven_visits=1) as world:
        world.call(1)
        await world.lines.wait_answer(1)

    assert (2, 1) == (world.daemon.visits, len(world.daemon.ops("call_tool")))


async def test_what_came_together_is_acknowledged_in_one_frame(make_world, autojump_clock):
    """And the list of tools is asked for once for each connection."""
    async with make_world(silent=True) as world:
        for id_ in range(5):
            world.call(id_, key=f"k{id_}")
        await world.daemon.wait_for("call_tool", 5)
        for id_ in range(5):
            await world.daemon.outcome(f"k{id_}")
        await trio.sleep(1)
        world.call(9)
        await world.daemon.wait_for("call_tool", 6)
        await trio.sleep(1)

    assert [5] == [ack["seq"] for ack in world.daemon.ops("ack")]
    assert 1 == len(world.daemon.ops("list_tools"))


async def test_an_expired_token_is_followed_by_a_new_one_at_once(
    make_world, config, autojump_clock
):
    """bye "token expired": the call that runs is kept, and the next hello brings another JWT for the same session."""
    settings = attrs.evolve(config, jwt_secret_key="a secret that is long enough for it")
    async with make_world(settings, silent=True) as world:
        world.call(1, key="kept")
        await world.daemon.wait_for("call_tool")
        ended = trio.current_time()
        await world.daemon.send({"op": "bye", "reason": "token expired", "retry_after_s": 0})
        hello = await world.daemon.wait_for("hello", 2)
        away = trio.current_time() - ended
        await world.daemon.wait_for("list_tools", 2)
        await world.daemon.outcome("kept")
        await world.lines.wait_answer(1)

    assert hello["jwt"]
    assert away < 1
