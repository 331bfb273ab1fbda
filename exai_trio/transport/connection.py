"""trio-websocket's connection with what EXAI needs of it beside: many messages in one write, and knowing when a write was cut.

The library's own `send_message` takes a lock and makes a system call for each message; both cost a turn of the scheduler.
"""

from collections.abc import Iterable
from typing import Any, cast

import trio
import trio_websocket as tws
from wsproto import ConnectionType, WSConnection
from wsproto.events import TextMessage

from .at_once import written_at_once
from .relayed import Messages, Take

RECEIVE_BYTES = 65_536


class Connection(tws.WebSocketConnection):
    """`cut` is true once a write of ours ended midway: the peer would read the next bytes as part of the old ones."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*arguments, **named)
        self.cut = False
        self._messages = Messages(self._send_channel, self._recv_channel)
        self._send_channel = cast("Any", self._messages)

    async def relay(self, take: Take) -> None:
        """Hand every message to `take` in the reader's own turn, until the connection ends: messages that arrive together are
        handled together, without a task between.

        Raises ConnectionClosed, or what `take` raised. Cancelling loses no message that was not yet handed over.
        """
        await self._messages.relay(take)
        raise tws.ConnectionClosed(self._close_reason)

    async def send_messages(self, frames: Iterable[str], limit_s: float) -> bool:
        """Send the texts in order, in one write. False if the peer did not take them within `limit_s`.

        Raises ConnectionClosed, ProtocolError, BrokenResourceError or ClosedResourceError. Cancelling cuts the stream.
        """
        if self._close_reason:
            raise tws.ConnectionClosed(self._close_reason)
        data = b"".join([self._wsproto.send(TextMessage(data=frame)) for frame in frames])
        if not self._stream_lock.locked():
            self._stream_lock.acquire_nowait()
            try:
                data = data[written_at_once(self._stream, data) :]
                return not data or await self._write(data, limit_s)
            finally:
                self._stream_lock.release()
        async with self._stream_lock:
            return await self._write(data, limit_s)

    async def _write(self, data: bytes, limit_s: float) -> bool:
        """A write that does not end well closes the stream, so that whoever waits for the lock writes nothing after it."""
        done = False
        try:
            with trio.move_on_after(limit_s):
                await self._stream.send_all(data)
                done = True
        finally:
            if not done:
                self.cut = True
                await trio.aclose_forcefully(self._stream)
        return done

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
