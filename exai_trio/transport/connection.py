"""trio-websocket's connection with what EXAI needs of it beside: many messages in one write, and knowing when a write was cut.

The library's own `send_message` takes a lock and makes a system call for each message; both cost a turn of the scheduler.
"""

from collections.abc import Iterable
from typing import Any, Self, cast

import trio
import trio_websocket as tws
from wsproto import ConnectionType, WSConnection
from wsproto.events import TextMessage

RECEIVE_BYTES = 65_536


class Connection(tws.WebSocketConnection):
    """`cut` is true once a write of ours ended midway: the peer would read the next bytes as part of the old ones."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*arguments, **named)
        self.cut = False
        self._send_channel = cast("Any", _Queue(self._send_channel))

    async def receive_messages(self) -> list[str | bytes]:
        """All messages that wait, as soon as there is one. Raises ConnectionClosed. Cancelling loses no message."""
        first = await self.get_message()
        waiting = self._recv_channel.statistics().current_buffer_used
        return [first, *(self._recv_channel.receive_nowait() for _ in range(waiting))]

    async def send_messages(self, frames: Iterable[str]) -> None:
        """Send the texts in order, in one write. Raises ConnectionClosed, ProtocolError, BrokenResourceError or
        ClosedResourceError. Cancelling cuts the stream."""
        if self._close_reason:
            raise tws.ConnectionClosed(self._close_reason)
        data = b"".join([self._wsproto.send(TextMessage(data=frame)) for frame in frames])
        await self._take_lock()
        try:
            await self._write(data)
        finally:
            self._stream_lock.release()

    async def _write(self, data: bytes) -> None:
        """A write that does not end well closes the stream, so that whoever waits for the lock writes nothing after it."""
        done = False
        try:
            await self._stream.send_all(data)
            done = True
        finally:
            if not done:
                self.cut = True
                await trio.aclose_forcefully(self._stream)

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

    def forget_handshake(self) -> None:
        """Once the connection is open: the parser of its HTTP part, some kilobytes, is of no more use."""
        self._wsproto.handshake = cast("Any", _HANDSHAKE_DONE)

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


class _HandshakeDone:
    """Stands where the handshake was: it has nothing more to say."""

    def events(self) -> tuple[()]:
        return ()


_HANDSHAKE_DONE = _HandshakeDone()


class _Queue:
    """The way from the library's reader to us, which gives up its turn only when the queue is full.

    So messages that arrive together are handled together.
    """

    def __init__(self, channel: trio.MemorySendChannel[str | bytes]) -> None:
        self._channel = channel

    async def send(self, message: str | bytes) -> None:
        try:
            self._channel.send_nowait(message)
        except trio.WouldBlock:
            await self._channel.send(message)

    async def aclose(self) -> None:
        await self._channel.aclose()

    async def __aenter__(self) -> Self:  # noqa: ASYNC124 - the library enters it so
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.aclose()


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
