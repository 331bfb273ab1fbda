"""A client of protocol 1."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from stage.waiting import PATIENCE_S

LARGEST = 64 * 2**20

Frame = dict[str, Any]


@attrs.frozen
class Old:
    """A client of protocol 1, spoken to in plain frames."""

    socket: WebSocketConnection
    stream: trio.SocketStream

    async def say(self, op: str, **fields: Any) -> None:
        await self.socket.send_message(json.dumps({"op": op, **fields}))

    async def hear(self) -> Frame:
        with trio.fail_after(PATIENCE_S):
            return json.loads(await self.socket.get_message())

    async def hear_until(self, op: str, **fields: Any) -> Frame:
        """The next frame of this op with these fields; what comes before it is skipped."""
        while True:
            heard = await self.hear()
            if {"op": op, **fields}.items() <= heard.items():
                return heard

    async def call(self, request_id: str, name: str = "test_echo", **arguments: Any) -> None:
        await self.say("call_tool", request_id=request_id, name=name, arguments=arguments)

    async def outcome(self, request_id: str, name: str = "test_echo", **arguments: Any) -> Frame:
        """Call and hear the one result."""
        await self.call(request_id, name, **arguments)
        return await self.hear_until("call_tool_res", request_id=request_id)

    async def vanish(self) -> None:
        """Hang up without a goodbye."""
        await trio.aclose_forcefully(self.stream)

    async def heard_close(self) -> tuple[int, str]:
        """Code and reason of the daemon's goodbye; frames before it are skipped."""
        try:
            with trio.fail_after(PATIENCE_S):
                await self._read_on()
        except ConnectionClosed as closed:
            return closed.reason.code, closed.reason.reason or ""

    async def _read_on(self) -> NoReturn:
        while True:
            await self.socket.get_message()


@asynccontextmanager
async def raw_client(
    port: int, *, host: str = "127.0.0.1", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> AsyncIterator[Old]:
    """A WebSocket that has said nothing. Leaving closes it."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with trio.open_nursery() as reading:
        try:
            socket = await wrap_client_stream(
                reading,
                stream,
                host,
                "/",
                extra_headers=list(headers),
                message_queue_size=1000,
                max_message_size=LARGEST,
            )
            yield Old(socket, stream)
            with trio.move_on_after(2):
                await socket.aclose()
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def old_client(port: int, **hello: Any) -> AsyncIterator[Old]:
    """A client that has said hello and was welcomed."""
    async with raw_client(port) as client:
        await client.say("hello", **hello)
        assert (await client.hear())["ok"]
        yield client
