"""What hypercorn serves: a connection on which a WebSocket was asked for, from that request on."""

from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from .http_connection import AsgiApp

_MESSAGE_BYTES = 64 * 1024  # commands are short, and answers are ours


async def serve_upgraded(app: AsgiApp, stream: trio.SocketStream, read: bytes) -> None:
    """Serve until the peer has gone, or has been answered that there is no WebSocket. `read` are the bytes of its request. Cancelling
    closes the stream."""
    config = Config()
    config.errorlog = None
    config.keep_alive_max_requests = 0
    config.websocket_max_message_size = _MESSAGE_BYTES
    state = ConnectionState({"transport": stream})
    wrapped = ASGIWrapper(cast("ASGIFramework", app))
    # hypercorn's annotation names its TLS stream only; it handles plain ones.
    server = _Upgraded(wrapped, config, WorkerContext(None), state, cast("Any", stream))
    server.read = read
    await server.run()


class _Upgraded(TCPServer):
    read = b""

    async def _read_data(self) -> None:
        await self.protocol.handle(RawData(self.read))
        await super()._read_data()
