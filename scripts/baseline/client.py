"""A client of the daemon's WebSocket that measures, and believes nothing: frames that are not of its own call are counted.

Nothing of exai_trio is used here: it is what is measured.
"""

import hashlib
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket_url

_LARGEST = 33_554_432
_PATIENCE_S = 15.0


class Lost(Exception):
    """The daemon is not there, or no more."""


@attrs.frozen(kw_only=True)
class Reply:
    """What came of one call: the frame of its outcome, or None after `limit`; seconds since it was sent; `strange` frames that
    answer other calls."""

    call_id: str
    request_id: str
    frame: dict[str, Any] | None
    total_s: float
    first_chunk_s: float | None = None
    strange: int = 0


@attrs.define(eq=False)
class Client:
    """One session, one call at a time."""

    socket: WebSocketConnection
    session_id: str
    tools: frozenset[str] = frozenset()
    health: dict[str, Any] = attrs.field(factory=dict)
    _last: int = 0

    async def call(self, tool, arguments, limit_s, *, stream=False):
        """Raises Lost."""
        request_id = f"b{secrets.token_hex(6)}"
        began = trio.current_time()
        reply = Reply(
            call_id=handle_of(self.session_id, request_id),
            request_id=request_id,
            frame=None,
            total_s=0.0,
        )
        await self._say(
            op="call_tool",
            request_id=request_id,
            name=tool,
            arguments=arguments,
            timeout_s=limit_s,
            stream=stream,
        )
        with trio.move_on_after(limit_s + 1):
            reply = await self._outcome(reply, began)
        return (
            attrs.evolve(reply, total_s=trio.current_time() - began)
            if reply.frame is None
            else reply
        )

    async def _outcome(self, reply, began):
        while True:
            frame = await self._hear()
            if frame.get("op") not in {"stream_chunk", "call_tool_res"}:
                continue
            if frame.get("request_id") != reply.request_id:
                reply = attrs.evolve(reply, strange=reply.strange + 1)
            elif frame["op"] == "call_tool_res":
                return attrs.evolve(reply, frame=_plain(frame), total_s=trio.current_time() - began)
            elif reply.first_chunk_s is None:
                reply = attrs.evolve(reply, first_chunk_s=trio.current_time() - began)

    async def acknowledge(self):
        if self._last:
            await self._say(op="ack", seq=self._last)

    async def ask(self, op, answer):
        """One question that is no call, and its answer. Raises Lost."""
        await self._say(op=op, request_id="q")
        while (frame := await self._hear()).get("op") != answer:
            pass
        return frame

    async def _say(self, **frame):
        try:
            await self.socket.send_message(json.dumps(frame))
        except ConnectionClosed as fault:
            raise Lost(f"the connection ended: {fault.reason}") from fault

    async def _hear(self):
        try:
            frame = json.loads(await self.socket.get_message())
        except ConnectionClosed as fault:
            raise Lost(f"the connection ended: {fault.reason}") from fault
        except ValueError as fault:
            raise Lost(f"the daemon said what is no JSON: {fault}") from fault
        if not isinstance(frame, dict):
            raise Lost(f"the daemon said what is no frame: {frame!r:.80}")
        if "seq" in frame:
            self._last = max(self._last, frame["seq"])
        return frame


_KINDS = {"outputs": list, "usage": dict, "error": dict}


def _plain(frame):
    """What is of a wrong type is not there."""
    kept = {key: each for key, each in frame.items() if isinstance(each, _KINDS.get(key, object))}
    return kept | {"outputs": [*filter(_is_output, kept.get("outputs", ()))]}


def _is_output(each):
    if not isinstance(each, dict):
        return False
    return isinstance(each.get("text", ""), str) and isinstance(each.get("metadata") or {}, dict)


def handle_of(session, request_id):
    """The call's id, as the protocol defines it."""
    name = json.dumps([session, request_id], separators=(",", ":"), ensure_ascii=False)
    return f"call_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


@asynccontextmanager
async def connected(url, *, roots=(), token="") -> AsyncGenerator[Client]:
    """A session of protocol 2, with what the daemon says of its tools and health. Raises Lost, within our patience."""
    with trio.move_on_after(_PATIENCE_S) as patience:
        try:
            async with _socket(url) as socket:
                client = await _greeted(socket, roots, token)
                patience.deadline = float("inf")
                yield client
        except (ConnectionClosed, HandshakeError, OSError) as fault:
            raise Lost(f"{url}: no daemon answers: {fault!r}") from fault
    if patience.cancelled_caught:
        raise Lost(f"{url}: the daemon takes no connection")


@asynccontextmanager
async def _socket(url):
    """The library leaves the TCP socket open where the daemon closes first."""
    socket = None
    try:
        async with open_websocket_url(
            url, max_message_size=_LARGEST, message_queue_size=64, receive_buffer_size=65_536
        ) as socket:
            yield socket
    finally:
        if socket is not None:
            await trio.aclose_forcefully(socket._stream)  # noqa: SLF001 - the library has no other way


async def _greeted(socket, roots, token):
    client = Client(socket, "")
    hello = {"op": "hello", "protocol": 2, "client_name": "baseline", "roots": list(roots)}
    await client._say(**hello, **({"token": token} if token else {}))  # noqa: SLF001 - our own
    answer = await client._hear()  # noqa: SLF001
    if not answer.get("ok"):
        raise Lost(f"the daemon refuses the hello: {answer.get('error')}")
    client.session_id = answer["session_id"]
    client.health = (await client.ask("health", "health_res")).get("health", {})
    return client
