"""A client of the daemon's own protocol that counts acceptances and outcomes, and comes back after a loss where it was."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    open_websocket,
)

from .children import PATIENCE_S

Frame = dict[str, Any]
LOST = (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError)


class Refused(Exception):
    """The daemon does not welcome this client; the text says why."""


@attrs.define(eq=False)
class Caller:
    """A session over any number of connections. Numbered frames that came before are counted in `stale`."""

    token: str | None = None
    session_id: str | None = None
    last_seq: int = 0
    stale: int = 0
    resumed: bool = False
    accepted: Counter[str] = attrs.field(factory=Counter[str])
    outcomes: dict[str, list[Frame]] = attrs.field(factory=dict)
    others: list[Frame] = attrs.field(factory=list)
    socket: WebSocketConnection | None = None
    acknowledges: bool = True
    _changed: trio.Event = attrs.field(factory=trio.Event)

    @asynccontextmanager
    async def connected(
        self, port: int, *, host: str = "127.0.0.1"
    ) -> AsyncGenerator[WebSocketConnection]:
        """A connection that has said hello, read until it is left or lost. Raises Refused, or one of LOST."""
        with trio.fail_after(PATIENCE_S) as patience:
            async with open_websocket(
                host, port, "/", use_ssl=False, message_queue_size=256, max_message_size=1 << 26
            ) as socket:
                await self._greet(socket)
                patience.deadline = float("inf")
                self.socket = socket
                async with trio.open_nursery() as reading:
                    reading.start_soon(self._read, socket)
                    try:
                        yield socket
                    finally:
                        self.socket = None
                    reading.cancel_scope.cancel()

    async def _greet(self, socket: WebSocketConnection) -> None:
        hello = {"op": "hello", "protocol": 2, "client_name": "chaos", "last_seq": self.last_seq}
        if self.token:
            hello["token"] = self.token
        if self.session_id:
            hello["session_id"] = self.session_id
        await socket.send_message(json.dumps(hello))
        answer = json.loads(await socket.get_message())
        if not answer.get("ok"):
            raise Refused(answer.get("error") or answer.get("reason") or "")
        self.resumed = bool(answer["resumed"])
        if not self.resumed:
            self.last_seq = 0
        self.session_id = answer["session_id"]

    async def _read(self, socket: WebSocketConnection) -> None:
        while True:
            try:
                frame = json.loads(await socket.get_message())
            except LOST:
                self._changed.set()
                self._changed = trio.Event()
                return
            await self._hear(frame, socket)

    async def _hear(self, frame: Frame, socket: WebSocketConnection) -> None:
        seq = frame.get("seq")
        if seq is not None:
            # An acceptance comes again when the call is asked for again before what was missed has been read.
            self.stale += seq <= self.last_seq and frame["op"] != "call_tool_ack"
            self.last_seq = max(self.last_seq, seq)
        match frame["op"]:
            case "call_tool_ack":
                self.accepted[frame["request_id"]] += 1
            case "call_tool_res":
                self.outcomes.setdefault(frame["request_id"], []).append(frame)
            case "progress" | "stream_chunk":
                return
            case _:
                self.others.append(frame)
        self._changed.set()
        self._changed = trio.Event()
        if seq is not None and self.acknowledges:
            await self._say(socket, {"op": "ack", "seq": self.last_seq})

    async def _say(self, socket: WebSocketConnection | None, frame: Frame) -> bool:
        """Whether it went out."""
        try:
            if socket is None:
                return False
            await socket.send_message(json.dumps(frame))
        except LOST:
            return False
        return True

    async def say(self, op: str, **fields: Any) -> bool:
        return await self._say(self.socket, {"op": op, **fields})

    async def call(self, request_id: str, tool: str, **arguments: Any) -> bool:
        return await self.say("call_tool", request_id=request_id, name=tool, arguments=arguments)

    async def outcome(
        self, request_id: str, *, count: int = 1, within: float = PATIENCE_S
    ) -> Frame | None:
        """The newest outcome of this call once there are so many."""
        with trio.move_on_after(within):  # noqa: ASYNC912  # it returns, or it waits
            while len(self.outcomes.get(request_id, ())) < count:
                await self._changed.wait()
            return self.outcomes[request_id][-1]
        return None

    async def other(self, op: str, within: float = PATIENCE_S) -> Frame | None:
        """The next frame of this op that is about no call."""
        with trio.move_on_after(within):  # noqa: ASYNC912  # it returns, or it waits
            while True:
                for frame in self.others:
                    if frame["op"] == op:
                        self.others.remove(frame)
                        return frame
                await self._changed.wait()
        return None

    async def wait_frame(self) -> None:
        """Return at the next one that is more than progress, or when the connection has ended."""
        await self._changed.wait()

    async def wait_lost(self) -> None:
        """Return when the connection has ended."""
        while self.socket is not None and self.socket.closed is None:
            await self._changed.wait()

    def forget(self) -> None:
        """What is settled, so that memory stays flat."""
        self.accepted.clear()
        self.outcomes.clear()
        self.others.clear()
