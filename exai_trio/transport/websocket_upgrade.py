"""What hypercorn serves: a connection on which a WebSocket was asked for, from that request on."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Event, RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from .http_connection import AsgiApp, Message

_MESSAGE_BYTES = 64 * 1024  # commands are short, and answers are ours
_Send = Callable[[Message], Awaitable[None]]


async def serve_upgraded(app: AsgiApp, stream: trio.SocketStream, read: bytes) -> None:
    """Serve until the peer has gone, or has been answered that there is no WebSocket. `read` are the bytes of its request. Cancelling
    closes the stream. The application finds in scope["state"]["send_together"] what sends several messages in one write."""
    config = Config()
    config.errorlog = None
    config.keep_alive_max_requests = 0
    config.websocket_max_message_size = _MESSAGE_BYTES
    state = ConnectionState({"transport": stream})
    wrapped = ASGIWrapper(cast("ASGIFramework", app))
    # hypercorn's annotation names its TLS stream only; it handles plain ones.
    server = _Upgraded(wrapped, config, WorkerContext(None), state, cast("Any", stream))
    server.read = read
    state["send_together"] = server.send_together
    await server.run()


class _Upgraded(TCPServer):
    read = b""
    held: bytearray | None = None

    async def send_together(self, send: _Send, messages: Iterable[Message]) -> None:
        """What `send` is given for these goes out in one write: each is a turn of the loop. Cancelling sends all of it or nothing."""
        self.held = held = bytearray()
        try:
            for message in messages:
                await send(message)
        finally:
            self.held = None
        if held:
            await self.protocol_send(RawData(bytes(held)))

    async def protocol_send(self, event: Event) -> None:
        if self.held is not None and isinstance(event, RawData):
            self.held += event.data
        else:
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        await self.protocol.handle(RawData(self.read))
        await super()._read_data()
