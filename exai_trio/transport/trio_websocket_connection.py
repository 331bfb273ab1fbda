"""trio-websocket's connection with what EXAI needs of it beside: many messages in one write, knowing when a write was cut,
and telling a slow peer from a dead one.

The library's own `send_message` takes a lock and makes a system call for each message; both cost a turn of the scheduler.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import trio
import trio_websocket as tws
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, Ping, Pong, TextMessage

from .liveness import Life
from .message_relay import Messages, Take
from .server_handshake import Upgrade
from .write_nowait import written_at_once

RECEIVE_BYTES = 65_536
RawHeaders = tuple[tuple[bytes, bytes], ...]
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)
_PIECE_BYTES = 65_536  # of a long write: a peer that takes so much in time reads


class Connection(tws.WebSocketConnection):
    """`cut` is true once a write of ours ended midway: the peer would read the next bytes as part of the old ones. `beside` is
    where pongs are sent; it is there before the reader runs. `most_after_first` is the size that messages may have once one
    has come, unless that is the same."""

    beside: trio.Nursery

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*arguments, **named)
        self.cut = False
        self.most_after_first: int | None = None
        self._life = Life()
        self._messages = Messages(self._send_channel, self._recv_channel)
        self._send_channel = cast("Any", self._messages)

    async def relay(self, take: Take) -> None:
        """Hand every message to `take` in the reader's own turn, until the connection ends: messages that arrive together are
        handled together, without a task between.

        Raises ConnectionClosed, or what `take` raised. Cancelling loses no message that was not yet handed over.
        """
        await self._messages.relay(take)
        raise tws.ConnectionClosed(self._close_reason)

    async def answers_ping(self, within_s: float) -> bool:
        """Whether the peer answers a ping. False once nothing was heard of it for `within_s`: on a slow line the answer comes
        behind what is sent before, but signs that this arrives do not. While a message of the peer's waits to be taken nothing
        can be heard, and that the peer reads is sign enough. One task may ask.

        Raises ConnectionClosed, BrokenResourceError or ClosedResourceError. Cancelling may cut the stream.
        """
        with self._life.asking(within_s) as limit:
            await self.ping()
        return not limit.cancelled_caught

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        """Who sends a long message has no other way to know that it arrives: pings wait behind it."""
        self._life.heard()
        if (
            not event.message_finished
            and self._life.is_to_be_shown(begins=not self._message_parts)
            and not self._life.owed
        ):
            self._answer(Pong())
        self._life.is_deaf = True
        try:
            await super()._handle_message_event(event)
        finally:
            self._life.is_deaf = False
        if event.message_finished and self.most_after_first is not None:
            self._max_message_size, self.most_after_first = self.most_after_first, None

    async def _handle_ping_event(self, event: Ping) -> None:
        self._life.heard()
        self._answer(event.response())

    def _answer(self, pong: Pong) -> None:
        """The reader waits for no write, since that may wait for the peer's reader: the answer goes out behind what is being
        written, or by a task of its own. Only the newest one matters, and none after our goodbye."""
        if self._wsproto.state is not ConnectionState.OPEN:
            return
        is_taken_along = self._life.is_writing or self._life.owed
        self._life.owed = self._wsproto.send(pong)
        if not is_taken_along:
            self.beside.start_soon(self._pay, name="websocket pong")

    async def _pay(self) -> None:
        """Cancelling may cut the stream."""
        with suppress(*_GONE):
            async with self._stream_lock:
                await self._write(self._life.take_owed(), math.inf)

    async def _handle_pong_event(self, event: Pong) -> None:
        """Asked for or not: the system tells only in large steps what has left its buffers."""
        self._life.heard()
        self._life.read()
        await super()._handle_pong_event(event)

    async def send_messages(self, frames: Iterable[str], limit_s: float) -> bool:
        """Send the texts in order, in one write. False if for `limit_s` the peer took nothing of it.

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
        left = memoryview(data)
        try:
            with self._life.writing(limit_s):
                while left:
                    await self._stream.send_all(left[:_PIECE_BYTES])
                    self._life.read()
                    left = left[_PIECE_BYTES:] or memoryview(self._life.take_owed())
        finally:
            if left:
                self.cut = True
                await trio.aclose_forcefully(self._stream)
        return not left

    async def receive_request(self) -> tuple[tws.WebSocketRequest, RawHeaders]:
        """The handshake of a client, and all of its headers, of which the library keeps some back."""
        proposal = await self._get_request()
        handshake: object = self._wsproto.handshake
        return proposal, handshake.headers if isinstance(handshake, Upgrade) else ()

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


def server_side(
    stream: trio.abc.Stream, queue: int, first_bytes: int, max_bytes: int
) -> Connection:
    """Not yet shaken hands; nothing runs. The first message may have `first_bytes`, the others `max_bytes`."""
    protocol = WSConnection(ConnectionType.SERVER)
    protocol.handshake = Upgrade()
    connection = Connection(
        stream,
        protocol,
        message_queue_size=queue,
        max_message_size=first_bytes,
        receive_buffer_size=RECEIVE_BYTES,
    )
    connection.most_after_first = max_bytes
    return connection


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
