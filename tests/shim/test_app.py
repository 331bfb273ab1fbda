"""The whole shim on memory streams: an editor on one side, a fake daemon or none on the other."""

import json
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.tool_list import listing_of, to_file
from exai_trio.shim.app import Shim
from exai_trio.shim.calls.relay import Relay
from exai_trio.shim.link import Link
from exai_trio.system import malloc
from exai_trio.tools.registry import BUILT_IN
from exai_trio.transport.stdio import LineWriter


def text_of(answer):
    return answer["result"]["content"][0]["text"]


TOOLS = [
    {"name": "chat", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    {"name": "plain", "inputSchema": {"type": "object"}},
]

ALL = [tool.name for tool in BUILT_IN]

HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"roots": {}},
    "clientInfo": {"name": "x"},
}


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
        await self.raw(line.encode() + b"\n")

    async def raw(self, data):
        await self.stdin.send_all(data)

    async def wait_answer(self, id_):
        return await self.lines.wait_answer(id_)

    async def wait_gone(self):
        with trio.fail_after(1000):
            await self.gone.wait()


@pytest.fixture
def open_shim(config, make_lines, make_daemon):
    """A running shim that knows a tool list from an earlier start."""

    @asynccontextmanager
    async def opened(*, known=True, settings=config, tools=TOOLS, roots=("/here",), **daemon_facts):
        if known:
            config.state.mkdir(parents=True, exist_ok=True)
            (config.state / "tools.json").write_bytes(to_file(listing_of(tools)))
        daemon = make_daemon(tools=tools, **daemon_facts)
        feed, stdin = trio.testing.memory_stream_one_way_pair()
        output = trio.testing.MemorySendStream()

        def backend(shim):
            relay = Relay(shim.sink, LargeResults(config.home / "files"))
            return relay, Link(config, relay, shim.tool_list, daemon.dial, shim.lines.wait_room)

        shim = Shim(settings, stdin, LineWriter(output), backend, roots)
        editor = Editor(shim, feed, output, make_lines(output))
        async with trio.open_nursery() as peers:
            daemon.nursery = peers
            async with trio.open_nursery() as running:
                running.start_soon(editor.run)  # noqa: ASYNC113  # the pipes wait
                yield editor, daemon
                running.cancel_scope.cancel()
            peers.cancel_scope.cancel()

    return opened


@pytest.fixture
def open_editor(open_shim):
    """A shim whose daemon answers no call by itself."""
    return partial(open_shim, silent=True)


def asks(lines):
    return [message for message in lines.said() if message.get("method") == "roots/list"]


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


async def test_the_editor_is_answered_without_a_daemon(open_shim, autojump_clock):
    """initialize, tools/list and ping are answered at once; bad lines are answered and survived."""
    async with open_shim(up=False) as (editor, _):
        await editor.raw(b"\x00\xff\n\n[]\n")
        await editor.say("initialize", 1, **HELLO)
        await editor.say("tools/list", 2)
        await editor.say("ping", 3)
        await editor.wait_answer(3)

    said = editor.lines.said()
    assert [message.get("id") for message in said] == [None, None, 1, 2, 3]
    assert [tool["name"] for tool in said[3]["result"]["tools"]] == ["chat", "plain"]


async def test_a_link_that_fails_each_second_is_told_once_a_minute(
    open_shim, autojump_clock, monkeypatch, caplog
):
    """And the editor is answered meanwhile."""

    async def fails(_link):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(Link, "run", fails)
    async with open_shim() as (editor, _):
        await trio.sleep(150)
        await editor.say("ping", 1)
        await editor.wait_answer(1)

    assert 3 == len([each for each in caplog.records if "begins again" in each.message])


async def test_the_end_of_stdin_ends_the_shim(open_shim, until, autojump_clock):
    """With nothing in flight the shim ends at once; half a line at the end is taken."""
    start = trio.current_time()
    async with open_shim(up=False) as (editor, _):
        await editor.say("initialize", 1, **HELLO)
        await editor.raw(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
        await editor.stdin.aclose()
        await editor.wait_answer(2)
        await editor.wait_gone()

    assert trio.current_time() - start < 1


@pytest.mark.parametrize(
    ("chosen", "told"),
    [({"enabled_tools": {"tracer"}}, "tracer"), ({"disabled_tools": {*ALL}}, "chat")],
)
async def test_a_list_is_told_also_after_the_end_of_stdin(open_shim, config, chosen, told):
    """With nothing known from a daemon it is made of our own declarations; settings that leave no tool are not told."""
    settings = attrs.evolve(config, **{key: frozenset(names) for key, names in chosen.items()})
    async with open_shim(known=False, settings=settings, up=False) as (editor, _):
        await editor.say("tools/list", 1)
        await editor.stdin.aclose()
        answer = await editor.wait_answer(1)

    assert told in [tool["name"] for tool in answer["result"]["tools"]]


async def test_what_is_in_flight_is_delivered_after_the_end_of_stdin(open_shim, autojump_clock):
    """A call that was taken before stdin ended gets its answer, also from a daemon that comes late."""
    async with open_shim(up=False) as (editor, daemon):
        await editor.say("initialize", 1, **HELLO)
        await editor.say("tools/call", 2, name="plain")
        await editor.stdin.aclose()
        await trio.sleep(3)
        daemon.up = True
        answer = await editor.wait_answer(2)

    assert answer["result"]["content"][0]["text"] == "ok"


async def test_what_is_never_answered_is_given_up_at_the_drains_end(open_shim, autojump_clock):
    """At EXAI_DRAIN_S each open call is answered, and the shim ends."""
    start = trio.current_time()
    async with open_shim(silent=True) as (editor, daemon):
        await editor.say("tools/call", 2, name="plain")
        await daemon.wait_for("call_tool")
        await editor.stdin.aclose()
        answer = await editor.wait_answer(2)

    assert answer["result"]["isError"]
    assert 7.9 < trio.current_time() - start < 9.5


async def test_a_call_is_given_up_at_its_deadline(open_shim, autojump_clock):
    """The shim's own clock answers what no daemon does."""
    async with open_shim(up=False) as (editor, _):
        await editor.say("initialize", 1, **{**HELLO, "clientInfo": {"name": "codex-mcp-client"}})
        await editor.say("tools/call", 2, name="plain")
        await trio.sleep(59)
        early = editor.lines.answer(2)
        await trio.sleep(1.1)
        late = editor.lines.answer(2)

    assert early is None
    assert late["result"]["isError"]


async def test_roots_of_the_editor_go_to_the_daemon(open_shim, until, autojump_clock):
    """The editor's own directories replace the working directory."""
    async with open_shim() as (editor, daemon):
        hello = await daemon.wait_for("hello")
        await editor.say("initialize", 1, **HELLO)
        await editor.say("notifications/initialized")
        await until(lambda: asks(editor.lines))
        asked = asks(editor.lines)
        answer = {
            "jsonrpc": "2.0",
            "id": asked[0]["id"],
            "result": {"roots": [{"uri": "file:///p"}]},
        }
        await editor.raw(json.dumps(answer).encode() + b"\n")
        await editor.say("tools/call", 2, name="plain")
        call = await daemon.wait_for("call_tool")

    assert hello["roots"] == ["/here"]
    assert call["roots"] == ["/p"]


async def test_directories_that_cannot_be_named_are_left_out_and_said(
    open_shim, until, caplog, autojump_clock
):
    """A name that is not UTF-8, or longer than a message may have it, costs its own directory, not every call."""
    longest = "/" + 4_095 * "l"
    named = ["file:///caf%E9", "file:///fine", f"file://{longest}", f"file://{longest}l"]
    async with open_shim(roots=("/here", "/bad\udcff")) as (editor, daemon):
        await editor.say("initialize", 1, **HELLO)
        hello = await daemon.wait_for("hello")
        await editor.say("tools/call", 2, name="chat", arguments={})
        answer = await editor.wait_answer(2)
        await editor.say("notifications/initialized")
        await until(lambda: editor.lines.said()[-1].get("method") == "roots/list")
        asked = editor.lines.said()[-1]
        roots = {"roots": [{"uri": uri} for uri in named]}
        await editor.raw(
            json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": roots}).encode() + b"\n"
        )
        await editor.say("tools/call", 3, name="chat", arguments={})
        await editor.wait_answer(3)

    left_out = [(r.path, r.why) for r in caplog.records if r.getMessage() == "directory left out"]
    assert ["/here"] == hello["roots"]
    assert "ok" == text_of(answer)
    assert ["/fine", longest] == daemon.ops("call_tool")[1]["roots"]
    assert [
        (r"'/bad\udcff'", "its name is not UTF-8"),
        (r"'/caf\udce9'", "its name is not UTF-8"),
    ] == left_out[:2]
    assert "its name is too long" == left_out[2][1]


async def test_a_cancel_ends_a_call(open_shim, autojump_clock):
    """notifications/cancelled reaches the daemon, and the request is not answered."""
    async with open_shim(silent=True) as (editor, daemon):
        await editor.say("tools/call", 2, name="plain")
        call = await daemon.wait_for("call_tool")
        await editor.say("notifications/cancelled", requestId=2)
        cancel = await daemon.wait_for("cancel")
        await daemon.fail(call["request_id"], "CANCELLED")
        await trio.sleep(1)

    assert cancel["request_id"] == call["request_id"]
    assert editor.lines.answer(2) is None


async def test_a_list_is_built_from_our_own_declarations(open_shim):
    """Without a daemon and without a copy on disk the list comes from the package."""
    async with open_shim(known=False, up=False) as (editor, _):
        await editor.say("tools/list", 2)
        answer = await editor.wait_answer(2)

    assert "chat" in [tool["name"] for tool in answer["result"]["tools"]]


async def test_an_editor_that_stops_reading_ends_the_shim(config):
    """When nobody reads our lines there is nothing to stay for."""
    _feed, stdin = trio.testing.memory_stream_one_way_pair()
    output, reader = trio.testing.memory_stream_one_way_pair()
    reader.close()
    shim = Shim(config, stdin, LineWriter(output), lambda _: pytest.fail("not needed"))
    with trio.fail_after(5):
        shim.lines.put(b"x\n")
        await shim.run()


async def test_nothing_is_said_twice_wherever_the_shim_is_cancelled(
    open_shim, cancel_at_every_step, until, autojump_clock
):
    """Cancelled at any step the shim ends, with whole lines and one answer a request."""
    editors = []

    async def scenario():
        async with open_shim() as (editor, _):
            editors.append(editor)
            await editor.say("initialize", 1, **HELLO)
            await editor.say("tools/call", 2, name="chat", _meta={"progressToken": 1})
            await editor.wait_answer(2)
            await editor.stdin.aclose()
            await editor.wait_gone()

    def invariant():
        if editors:
            ids = [message["id"] for message in editors.pop().lines.said() if "id" in message]
            assert len(ids) == len(set(ids))

    assert await cancel_at_every_step(scenario, invariant) > 20


async def test_what_large_answers_took_is_given_back(open_editor, monkeypatch, autojump_clock):
    """Once nobody waits for an answer; not again before there was as much again."""
    trimmed = []
    monkeypatch.setattr(malloc, "trim", lambda: trimmed.append(trio.current_time()))
    async with open_editor() as (editor, daemon):
        for id_ in (1, 2):
            await editor.say("tools/call", id_, name="chat", arguments={})
        frames = [await daemon.wait_for("call_tool", count) for count in (1, 2)]
        trimmed.clear()  # of the start
        await daemon.outcome(frames[0]["request_id"], "x" * 2**20)
        await editor.wait_answer(1)
        await trio.sleep(5)
        while_one_waits = trimmed[:]
        await daemon.outcome(frames[1]["request_id"])
        await editor.wait_answer(2)
        await trio.sleep(5)

    assert [] == while_one_waits
    assert 1 == len(trimmed)


async def test_the_first_list_is_answered_before_the_backend_is_imported(config, make_lines):
    """Whichever task comes first: that takes longer than all that the editor has asked until then."""
    said = []
    for _ in range(20):  # by chance one task or the other comes first
        feed, stdin = trio.testing.memory_stream_one_way_pair()
        lines = make_lines(trio.testing.MemorySendStream())

        def backend(shim, lines=lines):
            said.append([line["id"] for line in lines.said()])
            raise KeyboardInterrupt

        shim = Shim(config, stdin, LineWriter(lines.stream), backend)
        with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
            async with trio.open_nursery() as running:
                running.start_soon(shim.run)
                for id_, method, params in ((1, "initialize", HELLO), (2, "tools/list", {})):
                    message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
                    await feed.send_all(json.dumps(message).encode() + b"\n")
                    await trio.testing.wait_all_tasks_blocked()

    assert 20 * [[1, 2]] == said
