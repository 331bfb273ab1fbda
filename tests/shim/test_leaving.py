"""Goodbyes: a daemon that drains is heard out, and a shim that ends leaves nothing running for nobody."""

import json
import logging
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from exai_trio.mcp.large_results import Shelf
from exai_trio.mcp.server import FrontDesk
from exai_trio.mcp.tool_list import listing_of, to_file
from exai_trio.shim.app import Shim
from exai_trio.shim.bridge import Bridge
from exai_trio.shim.link import Link
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire.messages import CallResult, Output, Progress

BYE = {"op": "bye", "reason": "draining", "retry_after_s": 1.0}


def text_of(answer):
    return answer["result"]["content"][0]["text"]


@attrs.define(eq=False)
class Editor:
    """The other end of a shim's pipes."""

    shim: Shim
    stdin: trio.testing.MemorySendStream
    output: trio.testing.MemorySendStream
    lines: object
    gone: trio.Event = attrs.field(factory=trio.Event)

    async def run(self):
        await self.shim.run()
        self.gone.set()

    async def say(self, method, id_=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        line = json.dumps(message if id_ is None else {**message, "id": id_})
        await self.stdin.send_all(line.encode() + b"\n")

    async def wait_gone(self):
        with trio.fail_after(1000):
            await self.gone.wait()


@pytest.fixture
def open_editor(config, make_daemon, make_lines):
    """An editor, its shim and a daemon that answers no call by itself."""

    @asynccontextmanager
    async def opened():
        daemon = make_daemon(silent=True)
        feed, stdin = trio.testing.memory_stream_one_way_pair()
        output = trio.testing.MemorySendStream()

        def back_office(shim):
            bridge = Bridge(shim.lines, Shelf(config.home / "files"))
            return bridge, Link(config, bridge, shim.catalogue, daemon.dial)

        desk = FrontDesk(listing=listing_of(daemon.tools))  # known: no thread has to keep it
        config.state.mkdir(parents=True)
        (config.state / "tools.json").write_bytes(to_file(desk.listing))
        shim = Shim(config, stdin, LineWriter(output), back_office, ("/here",), desk)
        editor = Editor(shim, feed, output, make_lines(output))
        async with trio.open_nursery() as peers:
            daemon.nursery = peers
            async with trio.open_nursery() as running:
                running.start_soon(editor.run)  # noqa: ASYNC113  # the pipes wait
                yield editor, daemon
                running.cancel_scope.cancel()
            peers.cancel_scope.cancel()

    return opened


# A daemon that leaves


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


# An editor that leaves


async def test_cancels_are_heard_after_a_signal(open_editor, autojump_clock):
    """SIGINT, then `notifications/cancelled`: the call is cancelled in the daemon, and the shim ends at once."""
    async with open_editor() as (editor, daemon):
        await editor.say("tools/call", 1, name="chat")
        frame = await daemon.wait_for("call_tool")
        await daemon.accept(frame["request_id"])
        editor.shim._ending.set()
        await trio.sleep(0.1)
        began = trio.current_time()
        await editor.say("notifications/cancelled", requestId=1)
        cancel = await daemon.wait_for("cancel")
        await daemon.fail(cancel["request_id"], "CANCELLED")
        await editor.wait_gone()
        took = trio.current_time() - began

    assert frame["request_id"] == cancel["request_id"]
    assert took < 0.2
    assert editor.lines.answer(1) is None


@pytest.mark.parametrize("way", ["stdin", "dead parent", "dead reader"])
async def test_what_an_editor_leaves_behind_is_cancelled(open_editor, config, way, autojump_clock):
    """Its stdin ends, its process is killed, or it reads no more: nothing runs for nobody."""
    async with open_editor() as (editor, daemon):
        await editor.say("tools/call", 1, name="chat")
        frame = await daemon.wait_for("call_tool")
        await daemon.accept(frame["request_id"])
        began = trio.current_time()
        if way == "stdin":
            await editor.stdin.aclose()
        elif way == "dead parent":
            editor.shim._leave("the parent process is gone")
        else:
            editor.output.send_all_hook = None
            await editor.output.aclose()
            await editor.say("ping", 2)
        cancel = await daemon.wait_for("cancel")
        await daemon.fail(cancel["request_id"], "CANCELLED")
        await editor.wait_gone()
        took = trio.current_time() - began

    assert frame["request_id"] == cancel["request_id"]
    assert took < config.drain_s + 0.5 if way == "stdin" else took < 0.5


async def test_a_call_with_a_handle_goes_on(open_editor, autojump_clock):
    """Its editor was told to fetch it later, maybe from another window."""
    async with open_editor() as (editor, daemon):
        await editor.say("tools/call", 1, name="chat")
        frame = await daemon.wait_for("call_tool")
        await daemon.accept(frame["request_id"])
        await trio.sleep(48)
        answer = await editor.lines.wait_answer(1)
        await editor.stdin.aclose()
        await editor.wait_gone()

    assert "running" == json.loads(text_of(answer))["status"]
    assert [] == daemon.ops("cancel")


async def test_what_is_given_up_is_cancelled(make_world, autojump_clock):
    """A call that no daemon has taken in its client's time."""
    async with make_world(silent=True) as world:
        world.call(1, key="a")
        await world.daemon.wait_for("call_tool")
        await trio.sleep(48)
        world.bridge.expire(trio.current_time())
        answer = await world.lines.wait_answer(1)
        cancel = await world.daemon.wait_for("cancel")

    assert "TIMEOUT" == answer["result"]["_meta"]["exai/error"]["code"]
    assert "a" == cancel["request_id"]


# Progress


async def test_progress_never_shares_a_write_with_its_answer(make_world, autojump_clock):
    """Nor comes after it; what an answer overtakes is dropped, and one that follows keeps its distance."""
    writes = []
    async with make_world(silent=True) as world:
        stream = world.lines.stream
        keep = stream.send_all

        async def noted(data):
            writes.append((trio.current_time(), bytes(data)))
            await keep(data)

        stream.send_all = noted
        for number in range(20):
            world.call(number, token=f"t{number}", key=f"k{number}")
        await world.daemon.wait_for("call_tool", 20)
        for number in range(20):
            await world.daemon.progress(f"k{number}")
            if number % 2:
                await trio.sleep(0.001 * number)
            await world.daemon.outcome(f"k{number}")
        for number in range(20):
            await world.lines.wait_answer(number)

    last_progress = -1.0
    for at, data in writes:
        messages = [json.loads(line) for line in data.splitlines()]
        kinds = {"method" in message for message in messages}
        assert len(kinds) == 1
        if kinds == {True}:
            last_progress = at
        else:
            assert at - last_progress >= 0.0099


@pytest.mark.parametrize("ends", ["answer", "cancel", "deadline"])
async def test_progress_that_waits_goes_with_its_request(make_world, autojump_clock, ends):
    """What comes in one step with its end is not said at all; that of other calls is."""
    async with make_world(silent=True) as world:
        world.call(1, key="a", token="p", client="claude-ai")
        world.call(2, key="b", token="q")
        await world.daemon.wait_for("call_tool", 2)
        await trio.sleep(58 if ends == "deadline" else 1)
        before = len(world.lines.progress())
        for key in ("a", "b"):
            world.bridge.deliver(
                Progress(request_id=key, name="chat", t="x", stage="s", message="m", elapsed_s=9.0)
            )
        if ends == "answer":
            world.bridge.deliver(CallResult(request_id="a", outputs=[Output(text="ok")]))
        elif ends == "cancel":
            world.bridge.withdraw(1)
        else:
            world.bridge.expire(trio.current_time())
        await trio.sleep(0.5)
        told = [params["progressToken"] for params in world.lines.progress()[before:]]

    assert "p" not in told
    assert "q" in told
