"""One connection after its hello: what comes, what goes, and a daemon that drains."""

import json

import trio

from exai_trio.mcp.tool_list import from_file

more_tools = {"inputSchema": {"type": "object"}}

TOOLS = [
    {"name": "chat", "outputSchema": {"type": "object"}, **more_tools},
    {"name": "plain", **more_tools},
]

BYE = {"op": "bye", "reason": "draining", "retry_after_s": 1.0}


def text_of(answer):
    return answer["result"]["content"][0]["text"]


async def test_nonsense_from_the_daemon_is_survived(make_world, autojump_clock):
    """Frames that are no messages are skipped; the connection goes on."""
    async with make_world(silent=True) as world:
        await world.daemon.wait_for("list_tools")
        for frame in ("[]", "{", '{"op": "x"}', '{"op": "call_tool_res"}', '{"op": []}'):
            await world.daemon.socket.send(frame)
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.outcome("a")
        await world.lines.wait_answer(1)

    assert world.daemon.visits == 1


async def test_the_tool_list_is_taken_kept_and_taken_again(make_world, until):
    """The daemon's list becomes ours and is kept on disk; tools_changed asks for it again; an empty one is ignored."""
    more = {"name": "more", "inputSchema": {"type": "object"}}
    async with make_world(tools=[*TOOLS, more]) as world:
        kept = world.config.state / "tools.json"
        await until(kept.exists, 5)
        first = world.server.listing
        world.daemon.tools = []
        await world.daemon.send({"op": "tools_changed"}, numbered=True)
        await world.daemon.wait_for("list_tools", 2)
        world.daemon.tools = [more]
        await world.daemon.send({"op": "tools_changed"}, numbered=True)
        await world.daemon.wait_for("list_tools", 3)
        await until(lambda: from_file(kept.read_bytes()).hash != first.hash, 5)

    assert [tool["name"] for tool in json.loads(bytes(first.tools))] == ["chat", "plain", "more"]
    assert json.loads(bytes(world.server.listing.tools)) == [more]
    assert kept.stat().st_mode & 0o777 == 0o600


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


async def test_results_of_a_drain_come_over_its_connection(make_world, autojump_clock):
    """What ends before the daemon closes is told at once, and only then the next one is looked for."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        await world.daemon.accept("a")
        await world.daemon.accept("b")
        await world.daemon.send(BYE)
        await trio.sleep(3)
        await world.daemon.outcome("a", "first")
        first = await world.lines.wait_answer(1)
        visits = world.daemon.visits
        await world.daemon.outcome("b", "second")
        second = await world.lines.wait_answer(2)
        told_at = trio.current_time()
        await world.daemon.wait_for("hello", 2)

    assert ("first", "second", 1) == (text_of(first), text_of(second), visits)
    assert trio.current_time() - told_at <= 2


async def test_a_drain_that_closes_is_followed_at_once(make_world, autojump_clock):
    """What it could not end is sent to the next daemon without a pause."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        await world.daemon.send(BYE)
        await trio.sleep(3)
        await world.daemon.hang_up()
        closed_at = trio.current_time()
        await world.daemon.wait_for("call_tool", 2)

    assert trio.current_time() - closed_at < 0.5


async def test_new_calls_are_not_for_a_daemon_that_drains(make_world, autojump_clock):
    """They wait for the next one; so does one that crossed the goodbye and was turned away."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        await world.daemon.accept("a")
        await world.daemon.send(BYE)
        await world.daemon.fail("b", "SERVICE_UNAVAILABLE", retryable=True, retry_after_s=1.0)
        world.call(3, key="c")
        await trio.sleep(2)
        sent = [frame["request_id"] for frame in world.daemon.ops("call_tool")]
        world.daemon.silent = False
        await world.daemon.outcome("a")
        answers = [await world.lines.wait_answer(id_) for id_ in (1, 2, 3)]

    assert ["a", "b"] == sent
    assert ["ok"] * 3 == [text_of(answer) for answer in answers]


async def test_a_drain_that_never_closes_is_left(make_world, config, autojump_clock):
    """After EXAI_DRAIN_S and a little more."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await world.daemon.accept("a")
        await world.daemon.send(BYE)
        said_at = trio.current_time()
        await world.daemon.wait_for("hello", 2)

    assert config.drain_s <= trio.current_time() - said_at <= config.drain_s + 3


async def test_the_daemon_is_not_read_while_the_client_does_not_read(make_world, autojump_clock):
    """What it sends waits in its own outbox until there is room for answers here."""
    reads = trio.Event()
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        world.call(2, key="b")
        await world.daemon.wait_for("call_tool", 2)
        world.lines.stream.send_all_hook = reads.wait
        world.writer.room = 0
        for key in ("a", "b"):
            await world.daemon.outcome(key)
        await trio.sleep(1)
        waiting = len(world.bridge.calls)
        reads.set()
        await world.lines.wait_answer(2)

    assert 1 == waiting
