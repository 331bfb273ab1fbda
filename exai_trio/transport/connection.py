"""trio-websocket's connection with what EXAI needs of it beside: many messages in one write, and knowing when a write was cut.

The library's own `send_message` takes a lock and makes a system call for each message; both cost a turn of the scheduler.
"""

from collections.abc import Iterable

import trio
import trio_websocket as tws
from wsproto import ConnectionType, WSConnection
from wsproto.events import TextMessage

RECEIVE_BYTES = 65_536


class Connection(tws.WebSocketConnection):
    """`cut` is true once a write of ours ended midway: the peer would read the next bytes as part of the old ones."""

    cut = False

    async def send_messages(self, frames: Iterable[str]) -> None:
        """Send the texts in order, in one write. Raises ConnectionClosed, ProtocolError, BrokenResourceError or
        ClosedResourceError. Cancelling cuts the stream."""
        if self._close_reason:
            raise tws.ConnectionClosed(self._close_reason)
        data = b"".join([self._wsproto.send(TextMessage(data=frame)) for frame in frames])
        await self._take_lock()
        self.cut = True
        try:
            await self._stream.send_all(data)
            self.cut = False
        finally:
            self._stream_lock.release()

    async def _take_lock(self) -> None:
        try:
            self._stream_lock.acquire_nowait()
        except trio.WouldBlock:
            await self._stream_lock.acquire()

    async def receive_request(self) -> tuple[tws.WebSocketRequest, str]:
        """The handshake of a client, and its Host header, which the library keeps from the request's headers."""
        proposal = await self._get_request()
        return proposal, proposal._event.host  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    async def wait_open(self) -> None:
        """Return when the server has accepted our handshake."""
        await self._open_handshake.wait()

    async def run_reader(self) -> None:
        """Read until the connection ends. Raises ConnectionClosed, HandshakeError or ProtocolError."""
        await self._reader_task()

    async def linger(self) -> None:
        """Read and drop until the peer closes, so that it can still read our last words. The caller bounds the time.

        Only once the reader has ended.
        """
        try:
            if isinstance(self._stream, trio.abc.HalfCloseableStream):
                await self._stream.send_eof()
            while await self._stream.receive_some(RECEIVE_BYTES):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def server_side(stream: trio.abc.Stream, queue: int, max_bytes: int) -> Connection:
    """Not yet shaken hands; nothing runs."""
    return Connection(
        stream,
        WSConnection(ConnectionType.SERVER),
        message_queue_size=queue,
        max_message_size=max_bytes,
        receive_buffer_size=RECEIVE_BYTES,
    )


def client_side(stream: trio.abc.Stream, authority: str, queue: int, max_bytes: int) -> Connection:
    """Not yet shaken hands; nothing runs."""
    return Connection(
        stream,
        WSConnection(ConnectionType.CLIENT),
        host=authority,
        path="/",
        message_queue_size=queue,
        max_message_size=max_bytes,
        receive_buffer_size=RECEIVE_BYTES,
    )
