"""A daemon to talk to and an editor to talk as, both on memory streams."""

import json
from contextlib import asynccontextmanager, suppress

import attrs
import msgspec
import pytest
import trio

from exai_trio.config import Config
from exai_trio.mcp.calls.bridge import Bridge
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import Server
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import Dialect
from exai_trio.shim.app import Shim
from exai_trio.shim.calls.relay import Relay
from exai_trio.shim.link import Link
from exai_trio.transport.stdio import LineWriter
from exai_trio.transport.websocket import Limits, PeerGone, Unreachable, accept, client_on

LIMITS = Limits(close_s=0.5)
TOOLS = [
    {
        "name": "chat",
        "description": "asks",
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object"},
    },
    {"name": "plain", "description": "says", "inputSchema": {"type": "object"}},
]


async def wait_until(condition, seconds=1000, step=0.01):
    """Return when the condition holds; it is looked at again every `step` seconds."""
    with trio.fail_after(seconds):
        await trio.lowlevel.checkpoint()
        # What is waited for is outside of trio, or has no event.
        while not condition():  # noqa: ASYNC110
            await trio.sleep(step)


@attrs.define(eq=False)
class FakeDaemon:
    """Speaks enough of the protocol. `answer` decides what a call gets: frames, or nothing for now.

    `greetings` are said one after the other, each in place of a hello_ack.
    """

    up: bool = True
    unreachable: type[Unreachable] = Unreachable
    resumed: bool = False
    hello_error: str | None = None
    greetings: list = attrs.field(factory=list)
    tools: list = attrs.field(factory=lambda: list(TOOLS))
    limits: dict = attrs.field(factory=dict)
    server: dict = attrs.field(factory=dict)
    mute_visits: int = 0
    silent: bool = False
    unproven_visits: int = 0
    dropped_visits: int = 0
    heard: list = attrs.field(factory=list)
    visits: int = 0
    attempts: int = 0
    seq: int = 0
    socket: object = None
    stream: object = None
    changed: trio.Event = attrs.field(factory=trio.Event)
    nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def dial(self):
        self.attempts += 1
        if not self.up:
            raise self.unreachable("nothing listens")
        here, there = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.serve, there)  # noqa: ASYNC113  # the handshake waits for it
        async with client_on(here, "fake", LIMITS) as ws:
            yield ws

    async def serve(self, stream):
        self.stream = stream
        try:
            async with accept(stream, LIMITS, lambda _: None) as ws:
                await self.visit(ws)
        except PeerGone:
            pass

    async def visit(self, ws):
        self.visits += 1
        hello = json.loads(await ws.receive())
        self.note(hello)
        if self.visits <= self.mute_visits:
            await trio.sleep_forever()
        if self.hello_error:
            await ws.send(json.dumps({"op": "hello_ack", "ok": False, "error": self.hello_error}))
            await ws.close(4003, "no")
            return
        ack = {"op": "hello_ack", "ok": True, "session_id": hello["session_id"], "protocol": 2}
        ack |= {"resumed": self.resumed, "limits": self.limits}
        ack |= {"server": self.server} if self.server else {}
        if not self.resumed:
            self.seq = 0
        if self.greetings:
            ack = self.greetings.pop(0)
        await ws.send(json.dumps(ack))
        self.socket = ws
        if self.visits <= self.unproven_visits:
            self.fall_silent()
        while True:
            frame = json.loads(await ws.receive())
            self.note(frame)
            if self.visits <= self.dropped_visits:
                return
            if frame["op"] == "list_tools":
                await self.send(
                    {"op": "list_tools_res", "tools": self.tools, "request_id": "tools"}
                )
            elif frame["op"] == "call_tool" and not self.silent:
                await self.outcome(frame["request_id"])

    def note(self, frame):
        self.heard.append(frame)
        self.changed.set()
        self.changed = trio.Event()

    def ops(self, op):
        return [frame for frame in self.heard if frame["op"] == op]

    async def wait_for(self, op, count=1):
        """Return the nth frame with this op once it has come."""
        with trio.fail_after(1000):
            await trio.lowlevel.checkpoint()
            while len(self.ops(op)) < count:
                await self.changed.wait()
        return self.ops(op)[count - 1]

    async def send(self, frame, *, numbered=False):
        if numbered:
            self.seq += 1
            frame = {**frame, "seq": self.seq}
        await self.socket.send(json.dumps(frame))

    async def outcome(self, request_id, text="ok", **more):
        frame = {"op": "call_tool_res", "request_id": request_id, "ok": True}
        frame |= {"outputs": [{"type": "text", "text": text, **more}]}
        await self.send(frame, numbered=True)

    async def fail(self, request_id, code, **more):
        fault = {"code": code, "message": "it broke", "category": "tool", "retryable": False}
        fault |= {"correlation_id": "c", **more}
        frame = {"op": "call_tool_res", "request_id": request_id, "ok": False, "error": fault}
        await self.send(frame, numbered=True)

    async def accept(self, request_id, name="chat", **more):
        frame = {"op": "call_tool_ack", "request_id": request_id, "name": name, "timeout": 9}
        frame |= {"repeatable": True, **more}
        said = {key: value for key, value in frame.items() if value is not None}
        await self.send({**said, "accepted": True}, numbered=True)

    async def progress(self, request_id, elapsed=1.0, stage="thinking"):
        frame = {
            "op": "progress",
            "request_id": request_id,
            "name": "chat",
            "t": "x",
            "stage": stage,
        }
        await self.send({**frame, "message": "m", "elapsed_s": elapsed})

    def fall_silent(self):
        """Nothing that is written on this connection arrives any more, no pong either."""
        self.stream.send_stream.send_all_hook = None

    async def hang_up(self):
        await trio.testing.wait_all_tasks_blocked()  # not into the middle of another task's frame
        await self.socket.close(1012, "restart")


@attrs.define(eq=False)
class Lines:
    """What was written, as messages."""

    stream: trio.testing.MemorySendStream
    kept: bytes = b""

    def said(self):
        with suppress(trio.WouldBlock):
            self.kept += bytes(self.stream.get_data_nowait())
        return [json.loads(line) for line in self.kept.split(b"\n") if line]

    def answer(self, id_):
        found = [m for m in self.said() if m.get("id") == id_ and "method" not in m]
        assert len(found) <= 1, found
        return found[0] if found else None

    def progress(self):
        return [m["params"] for m in self.said() if m.get("method") == "notifications/progress"]

    async def wait_answer(self, id_, seconds=1000):
        await wait_until(lambda: self.answer(id_) is not None, seconds)
        return self.answer(id_)


@attrs.define(eq=False)
class World:
    """A shim without its editor: relay, bridge, link and what they write."""

    daemon: FakeDaemon
    server: Server
    relay: Relay
    bridge: Bridge
    writer: LineWriter
    link: Link
    lines: Lines
    config: Config

    def call(self, id_=1, *, name="chat", token=None, key=None, client="", arguments=b"{}"):
        raw = msgspec.Raw(arguments)
        call = Call(
            id=id_,
            name=name,
            arguments=raw,
            dialect=Dialect("2025-06-18"),
            client=client,
            key=key,
            token=token,
        )
        self.bridge.start(call, trio.current_time())


@pytest.fixture
def config(tmp_path):
    return Config(home=tmp_path)


@pytest.fixture
def make_world(config):
    """A world whose link and writer run inside the context."""

    @asynccontextmanager
    async def make(settings=config, **daemon_facts):
        daemon = FakeDaemon(**daemon_facts)
        output = trio.testing.MemorySendStream()
        writer = LineWriter(output)
        shim = Shim(settings, trio.testing.MemoryReceiveStream(), writer, None)
        shim.server.listing = listing_of(TOOLS)  # known: no thread has to keep it
        relay = Relay(shim.sink, LargeResults(settings.home / "files"), roots=("/work",))
        link = Link(settings, relay, shim.tool_list, daemon.dial, writer.wait_room)
        async with trio.open_nursery() as peers:
            daemon.nursery = peers
            async with trio.open_nursery() as legs:
                legs.start_soon(writer.run)  # noqa: ASYNC113  # lines wait
                legs.start_soon(link.run)  # noqa: ASYNC113  # calls wait
                yield World(
                    daemon, shim.server, relay, relay.bridge, writer, link, Lines(output), settings
                )
                legs.cancel_scope.cancel()
            peers.cancel_scope.cancel()

    return make


@pytest.fixture
def make_daemon():
    return FakeDaemon


@pytest.fixture
def make_lines():
    return Lines


@pytest.fixture
def until():
    return wait_until
