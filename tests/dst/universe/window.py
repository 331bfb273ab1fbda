"""An editor's window in the simulation: the real link and relay of a shim, and what its editor hears, watched."""

import json
import math
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs
import msgspec
import trio

from exai_trio.config import Config
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.params import Call
from exai_trio.mcp.server import Server
from exai_trio.mcp.tool_list import listing_of
from exai_trio.mcp.versions import Dialect
from exai_trio.shim.calls.dispatch import AT_DAEMON
from exai_trio.shim.calls.relay import Relay
from exai_trio.shim.daemon_conversation import Conversation
from exai_trio.shim.link import Link
from exai_trio.shim.received_frames import ReceivedFrames
from exai_trio.shim.stdio_sink import StdioSink
from exai_trio.shim.tool_list_cache import ToolListCache
from exai_trio.transport.stdio import LineWriter
from exai_trio.wire.messages import CallAccepted, CallCancelling, CallFailed, CallResult, ErrorReply

from .network import Network
from .oracle import Oracle

TICK_S = 5.0


class WatchedRelay(Relay):
    """Tells the oracle what the daemon said of each call, after the link has dropped what it knows."""

    oracle: Oracle
    draw: random.Random
    must_stop: Callable[[str], None]

    def connected(self, *, resumed, **facts) -> None:
        """Some clients send again whatever has no outcome yet, accepted or not: a journal knows it."""
        if self.oracle.kind.is_durable and self.draw.random() < 0.5:
            for call in self.dispatch.accepted():
                self.dispatch.note(call.key, "forgotten")
                call.runs = 0
        super().connected(resumed=resumed, **facts)

    def deliver(self, message) -> None:
        match message:
            case CallAccepted():
                self.oracle.accepted(message.request_id)
            case CallCancelling():
                self.must_stop(message.request_id)
            case CallResult():
                handle = bool((message.outputs[0].metadata or {}).get("handle"))
                self.oracle.outcome(message.request_id, "ok", is_handle=handle)
            case CallFailed() if isinstance(message.request_id, str):
                self.oracle.outcome(message.request_id, message.error.code)
            case ErrorReply() if isinstance(message.request_id, str):
                self.oracle.refused_to_end(message.request_id, message.error.code)
            case _:
                pass
        super().deliver(message)


class WatchedConversation(Conversation):
    """Tells the oracle every outcome that comes over the wire a second time."""

    oracle: Oracle

    async def _hear(self, frame) -> None:
        heard = json.loads(frame)
        if heard["op"] == "call_tool_res" and heard.get("seq", 0) in range(
            1, self.received.last + 1
        ):
            self.oracle.repeated(heard["request_id"])
        await super()._hear(frame)


class WatchedFrames(ReceivedFrames):
    """Tells the oracle every number that was overtaken."""

    oracle: Oracle
    seen: set

    def note(self, seq: int) -> bool:
        if self.last == 0:
            self.seen = set()
        if seq <= self.last and seq not in self.seen:
            self.oracle.fail(f"frame {seq} was overtaken by {self.last}")
        self.seen.add(seq)
        return super().note(seq)


class WatchedLink(Link):
    oracle: Oracle

    def _conversation(self, ws) -> Conversation:
        talk = WatchedConversation(
            ws, self.config, self.relay, self.tool_list, self.received, self.wait_room
        )
        talk.oracle = self.oracle
        return talk


@attrs.define(eq=False)
class Window:
    """One run of a shim. Its editor reads every line at once."""

    name: str
    config: Config
    network: Network
    draw: random.Random
    oracle: Oracle
    tools: list
    later: trio.Nursery
    relay: WatchedRelay = attrs.field(init=False)
    link: WatchedLink = attrs.field(init=False)
    _lines: trio.testing.MemorySendStream = attrs.field(factory=trio.testing.MemorySendStream)
    _writer: LineWriter = attrs.field(init=False)
    _rest: bytes = b""
    _asked: int = 0
    _keys: dict[int, str] = attrs.field(factory=dict[int, str])  # of the newest call with this id
    _calls: dict[str, Call] = attrs.field(factory=dict[str, Call])
    _progress: dict[int, float] = attrs.field(
        factory=dict[int, float]
    )  # of calls without an answer
    _withdrawn: set[int] = attrs.field(factory=set[int])
    _free: list[int] = attrs.field(factory=list[int])  # ids whose calls have their answer

    def __attrs_post_init__(self) -> None:
        self._writer = LineWriter(self._lines)
        sink = StdioSink(self._writer)
        server = Server(sink, listing_of(self.tools))
        self.relay = WatchedRelay(sink, LargeResults(Path("/nowhere")), name=self.name)
        self.relay.oracle, self.relay.draw = self.oracle, self.draw
        self.relay.must_stop = self._must_stop
        received = WatchedFrames()
        received.oracle, received.seen = self.oracle, set()
        self.link = WatchedLink(
            self.config,
            self.relay,
            ToolListCache(self.config, server),
            self.network.dial,
            self._writer.wait_room,
            session_id=f"shim_{self.name}",
            received=received,
        )
        self.link.oracle = self.oracle

    async def run(self) -> None:
        """Until cancelled: that is the shim's kill."""
        async with trio.open_nursery() as legs:
            legs.start_soon(self._writer.run)
            legs.start_soon(self.link.run)
            legs.start_soon(self._tick)
            legs.start_soon(self._listen)

    @property
    def is_asleep(self) -> bool:
        """Something is to be sent to a daemon that is there, and whoever sends is not told so."""
        relay = self.relay
        dispatch, daemon = relay.dispatch, relay.daemon
        if relay.work.is_set() or daemon.absent_since is not None:
            return False
        at_daemon = sum(len(dispatch._calls[state]) for state in AT_DAEMON)
        has_room = at_daemon < daemon.limits.window and not daemon.leaving
        return bool(dispatch._calls["cancel due"] or (has_room and dispatch.has_queued))

    async def _tick(self) -> None:
        while True:
            await trio.sleep(TICK_S)
            self.relay.bridge.expire(trio.current_time())
            self.relay.break_silence()

    async def _listen(self) -> None:
        while True:
            self._rest += await self._lines.get_data()
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                message = json.loads(line)
                self._hear_progress(message.get("params", {}))
                with suppress(KeyError):
                    id_ = message["id"]
                    self._progress.pop(id_, None)
                    self.oracle.answered(self._keys[id_], message.get("result"))
                    self._free.append(id_)

    def _hear_progress(self, said: dict) -> None:
        """It rises, and nothing is said of what was answered."""
        token, value = said.get("progressToken"), said.get("progress", 0.0)
        if token is None or token in self._withdrawn:
            return
        if value <= self._progress.get(token, math.inf):
            self.oracle.fail(f"progress of {self._keys[token]} is {value} after {self._progress}")
        self._progress[token] = value

    def _must_stop(self, key: str) -> None:
        call = self.oracle.calls.get(key)
        if call is not None:
            self.later.start_soon(self.oracle.runs.must_stop, call.mark)

    def ask(self, tool: str, seconds: float, client: str = "", size: int = 0) -> int:
        """A call of the editor's. Returns its id."""
        mark = f"{self.name}/{self._asked + 1}"
        arguments = {"seconds": seconds, "mark": mark, "size": size}
        return self._call(tool, arguments, mark, client)

    def ask_in_peace(self) -> None:
        """A call that takes no time, and that nothing keeps from its answer."""
        id_ = self.ask("work", 0.0)
        self.oracle.runs.wait_in_peace(self.oracle.calls[self._keys[id_]].mark)

    def fetch(self, call_id: str, wait_s: float) -> int:
        """Ask what became of a call that was answered with a handle."""
        return self._call("result", {"call_id": call_id, "wait_s": wait_s}, call_id)

    def _call(self, tool: str, arguments: dict, mark: str, client: str = "") -> int:
        self._asked += 1
        key = f"{self.name}:{self._asked}"
        id_ = self._new_id()
        self.oracle.asked(key, tool, mark)
        self._calls[key] = call = Call(
            id=id_,
            key=key,
            name=tool,
            arguments=msgspec.Raw(json.dumps(arguments).encode()),
            dialect=Dialect("2025-06-18"),
            token=id_,
            client=client,
        )
        return self._start(call)

    def ask_along(self, id_: int) -> int:
        """Another request for what this one waits for. Returns its id."""
        self._asked += 1
        key = self._keys[id_]
        self.oracle.joined(key)
        return self._start(attrs.evolve(self._calls[key], id=self._asked, token=self._asked))

    def _start(self, call: Call) -> int:
        self._keys[call.id], self._progress[call.id] = call.key, -1.0
        self.relay.bridge.start(call, trio.current_time())
        return call.id

    def _new_id(self) -> int:
        """Some clients use the ids again of what was answered."""
        if self._free and self.draw.random() < 0.5:
            return self._free.pop(self.draw.randrange(len(self._free)))
        return self._asked

    def key_of(self, id_: int) -> str:
        """How the oracle knows the newest call of this id."""
        return self._keys[id_]

    def withdraw(self, id_: int) -> str:
        """Returns the mark of the call that is not wanted any more."""
        key = self._keys[id_]
        self.oracle.withdrawn(key)
        self._withdrawn.add(id_)
        self.relay.bridge.withdraw(id_)
        return self.oracle.calls[key].mark
