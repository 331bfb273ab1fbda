"""WebSocket connections as EXAI uses them: open, receive, send, ping, close. No protocol of ours here.

Rules kept here: whoever loses the peer gets PeerGone; many frames go out in one write; a stream whose write was cut is
never written again; a connection says goodbye within `close_s` and its socket is closed when its context is left.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn

import attrs
import trio
import trio_websocket as tws
from wsproto.utilities import ProtocolError

from exai_trio import structs
from exai_trio.wire.hosts import Refusal

from .connect_errors import all_refused
from .peer_identity import Ends
from .trio_websocket_connection import Connection, RawHeaders, client_side, server_side

_LOST = (tws.ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError)

NORMAL, GOING_AWAY, TOO_LARGE, POLICY = 1000, 1001, 1009, 1008
INTERNAL, SERVICE_RESTART, TRY_AGAIN_LATER = 1011, 1012, 1013


@structs.frozen(kw_only=True)
class Limits:
    """`max_bytes` for one message, `first_bytes` for the first of a client; `send_s` for a write of which nothing is taken, `close_s` for the closing handshake, both in seconds.

    At most `queue` messages wait unread, so a connection holds at most `queue` × `max_bytes`.
    """

    max_bytes: int = 33_554_432
    first_bytes: int = 65_536
    send_s: float = 10.0
    close_s: float = 1.0
    queue: int = 16


@structs.define(kw_only=True, eq=False, str=False)
class PeerGone(Exception):
    """The connection is over. `code` is the WebSocket close code, 1006 if there was none."""

    code: int = 1006
    reason: str = ""

    def __str__(self) -> str:
        return f"connection closed ({self.code}) {self.reason}".rstrip()


class Unreachable(Exception):
    """Nobody answers at that address, or it does not speak WebSocket."""


class NotListening(Unreachable):
    """The address refuses connections: nobody is there to be burdened by another attempt."""


class _TooLarge(Exception):
    """A message over the limit."""


@structs.frozen(kw_only=True)
class Handshake:
    """What a client sent before the upgrade; header names are in lower case. `raw` has every header as it came."""

    path: str
    headers: Mapping[str, str]
    raw: RawHeaders = ()


@structs.define(eq=False)
class WebSocket:
    """One open connection. One task receives, one task sends; ping and close may come from others."""

    _connection: Connection
    _limits: Limits
    _reader_ended: trio.Event
    _most: int  # bytes, of the next message
    ends: Ends | None = None  # of a client's connection, unless it is within this process

    async def receive(self) -> str | bytes:
        """The next message. Raises PeerGone. Cancelling loses no message."""
        try:
            frame = await self._connection.get_message()
        except tws.ConnectionClosed as closed:
            raise _peer_gone(closed) from closed
        try:
            self._check_size(frame)
        except _TooLarge as fault:
            raise await self._give_up(fault) from fault
        return frame

    async def relay(self, take: Callable[[str | bytes], Awaitable[None]]) -> NoReturn:
        """Hand every message to `take`, in order, until the connection ends. Raises PeerGone, or what `take` raised.

        While `take` waits nothing is read, pings and goodbyes of the peer included. Cancelling loses no message.
        """

        async def take_fitting(frame: str | bytes) -> None:
            self._check_size(frame)
            await take(frame)

        try:
            await self._connection.relay(take_fitting)
        except tws.ConnectionClosed as closed:
            raise _peer_gone(closed) from closed
        except _TooLarge as fault:
            raise await self._give_up(fault) from fault
        raise PeerGone

    def _check_size(self, frame: str | bytes) -> None:
        """The library counts characters; the limit is in bytes."""
        most, self._most = self._most, self._limits.max_bytes
        if len(frame) * 4 > most and _size(frame) > most:
            raise _TooLarge(f"messages are limited to {most} bytes")

    async def _give_up(self, fault: "_TooLarge") -> PeerGone:
        await self.close(TOO_LARGE, str(fault))
        return PeerGone(code=TOO_LARGE)

    async def send(self, *frames: str) -> None:
        """Send the frames in order, in one write. Raises PeerGone, also if the peer takes nothing of it for `send_s`.

        Cancelling cuts the stream: nothing can be sent after it, not even a goodbye.
        """
        try:
            taken = await self._connection.send_messages(frames, self._limits.send_s)
        except _LOST as lost:
            raise _peer_gone(lost) from lost
        if not taken:
            raise PeerGone(reason="the peer does not read")

    async def answers_ping(self, within_s: float) -> bool:
        """Whether the peer answers a ping. False once nothing was heard of it for `within_s`. Raises PeerGone. One task
        may ask."""
        try:
            return await self._connection.answers_ping(within_s)
        except _LOST as lost:
            raise _peer_gone(lost) from lost

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye and wait for the answer, for `close_s` at most, also when cancelled. Never raises but Cancelled."""
        connection = self._connection
        if connection.cut:
            return
        with trio.move_on_after(self._limits.close_s, shield=True):
            await connection.aclose(code, reason[:120])
            if connection.closed is not None and connection.closed.code == TOO_LARGE:
                # Over the limit the library's reader ends and leaves the socket open.
                await self._reader_ended.wait()
                await connection.linger()


@asynccontextmanager
async def accept(
    stream: trio.abc.Stream,
    limits: Limits,
    admit: Callable[[Handshake], Refusal | None],
) -> AsyncGenerator[WebSocket]:
    """Serve one WebSocket on `stream`. `admit` returns why a handshake is refused, or None.

    Raises PeerGone if the handshake is refused or fails; the caller bounds the time until the context is entered.
    The stream is closed when the context is left; without an earlier close the peer hears 1001.
    """
    first = min(limits.first_bytes, limits.max_bytes)
    connection = server_side(stream, limits.queue, first, limits.max_bytes)
    async with _reader(connection, stream) as reader:
        with reader.handshake:
            await _answer_handshake(connection, reader, limits, admit)
        if reader.handshake.cancelled_caught:
            raise PeerGone(reason="the handshake failed")
        connection.forget_handshake()
        socket = WebSocket(connection, limits, reader.ended, first)
        try:
            yield socket
        finally:
            await socket.close(GOING_AWAY)  # noqa: ASYNC102 - shielded and bounded in itself


@asynccontextmanager
async def connect(host: str, port: int, limits: Limits) -> AsyncGenerator[WebSocket]:
    """Open a WebSocket to ws://host:port/. Raises Unreachable (NotListening if refused); the caller bounds the time.

    The socket is closed when the context is left; without an earlier close the peer hears 1000.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as fault:
        if all_refused(fault.__cause__):
            raise NotListening(f"nothing listens on {host}:{port}") from fault
        raise Unreachable(f"{host}:{port} cannot be reached: {fault.__cause__ or fault}") from fault
    async with client_on(stream, _authority(host, port), limits) as socket:
        yield socket


@asynccontextmanager
async def client_on(
    stream: trio.abc.Stream, authority: str, limits: Limits
) -> AsyncGenerator[WebSocket]:
    """The client's side of a WebSocket on any stream. Raises Unreachable if the other side refuses the upgrade."""
    connection = client_side(stream, authority, limits.queue, limits.max_bytes)
    async with _reader(connection, stream) as reader:
        with reader.handshake:
            await connection.wait_open()
        if reader.handshake.cancelled_caught:
            raise Unreachable(f"{authority} refuses the WebSocket: {reader.fault}")
        connection.forget_handshake()
        socket = WebSocket(connection, limits, reader.ended, limits.max_bytes)
        socket.ends = Ends.of(stream)
        try:
            yield socket
        finally:
            await socket.close()  # noqa: ASYNC102 - shielded and bounded in itself


@structs.define(eq=False)
class _Reader:
    """The library's reader of one connection, which must outlive the body that it serves: a goodbye needs it to be heard.

    When it ends while a handshake is under way, the handshake is cancelled: the library would wait for it for ever.
    """

    connection: Connection
    scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True))
    handshake: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    fault: str = "it closed the connection"

    async def run(self) -> None:
        with self.scope:
            try:
                await self.connection.run_reader()
            except (tws.ConnectionClosed, tws.HandshakeError, ProtocolError) as fault:
                self.fault = repr(fault)
        self.ended.set()
        self.handshake.cancel(reason="the WebSocket reader ended")


@asynccontextmanager
async def _reader(connection: Connection, stream: trio.abc.Stream) -> AsyncGenerator[_Reader]:
    """The running reader. Leaving ends it and closes the stream. Our own outcomes leave as they are, not in a group."""
    outcome: PeerGone | Unreachable | None = None
    async with trio.open_nursery() as nursery:
        reader = _Reader(connection)
        connection.beside = nursery
        # Not `start`: cancelled meanwhile, it would leave a shielded task that nothing ends.
        nursery.start_soon(reader.run, name="websocket reader")  # noqa: ASYNC113
        try:
            yield reader
        except (PeerGone, Unreachable) as raised:
            outcome = raised
        finally:
            reader.scope.cancel(reason="the connection was left")
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel(reason="the connection was left")
    if outcome is not None:
        raise outcome


async def _answer_handshake(
    connection: Connection,
    reader: _Reader,
    limits: Limits,
    admit: Callable[[Handshake], Refusal | None],
) -> None:
    request, raw = await connection.receive_request()
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    refusal = admit(Handshake(path=request.path, headers=headers, raw=raw))
    if refusal is not None:
        await _refuse(request, refusal, reader, limits)
    await request.accept()


async def _refuse(
    request: tws.WebSocketRequest, refusal: Refusal, reader: _Reader, limits: Limits
) -> NoReturn:
    await request.reject(refusal.status, body=refusal.text.encode())
    with trio.move_on_after(limits.close_s):
        await reader.ended.wait()
    raise PeerGone(reason=refusal.text)


def _peer_gone(lost: Exception) -> PeerGone:
    if isinstance(lost, tws.ConnectionClosed) and lost.reason is not None:
        return PeerGone(code=int(lost.reason.code), reason=lost.reason.reason or "")
    return PeerGone(reason="broken")


def _size(frame: str | bytes) -> int:
    return len(frame.encode()) if isinstance(frame, str) else len(frame)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
