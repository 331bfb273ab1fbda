"""WebSocket connections as EXAI uses them; the only importer of trio-websocket. No protocol of ours here.

Rules kept here: whoever loses the peer gets PeerGone; many frames go out in one write; a stream whose send was cut is
never written again; a connection says goodbye within `close_s` and its socket is closed when its context is left.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn, cast

import attrs
import trio
import trio_websocket as tws
from wsproto.utilities import ProtocolError

from .corked import CorkedStream

NORMAL, GOING_AWAY, TOO_LARGE, POLICY, INTERNAL, SERVICE_RESTART = (
    1000,
    1001,
    1009,
    1008,
    1011,
    1012,
)
_RECEIVE_BYTES = 65_536


@attrs.frozen(kw_only=True)
class Limits:
    """`max_bytes` for one message; `send_s` for one write, `close_s` for the closing handshake, both in seconds.

    At most `queue` messages wait unread, so a connection holds at most `queue` × `max_bytes`.
    """

    max_bytes: int = 33_554_432
    send_s: float = 10.0
    close_s: float = 1.0
    queue: int = 16


@attrs.define(kw_only=True, eq=False, str=False)
class PeerGone(Exception):
    """The connection is over. `code` is the WebSocket close code, 1006 if there was none."""

    code: int = 1006
    reason: str = ""

    def __str__(self) -> str:
        return f"connection closed ({self.code}) {self.reason}".rstrip()


class Unreachable(Exception):
    """Nobody answers at that address, or it does not speak WebSocket."""


@attrs.frozen(kw_only=True)
class Handshake:
    """What a client sent before the upgrade; header names are in lower case."""

    path: str
    headers: Mapping[str, str]


@attrs.define(eq=False)
class WebSocket:
    """One open connection. One task receives, one task sends; ping and close may come from others."""

    _connection: tws.WebSocketConnection
    _stream: CorkedStream
    _limits: Limits
    _reader_ended: trio.Event

    async def receive(self) -> str | bytes:
        """The next message. Raises PeerGone. Cancelling loses no message."""
        try:
            frame = await self._connection.get_message()
        except tws.ConnectionClosed as closed:
            raise _gone(closed) from closed
        if len(frame) * 4 > self._limits.max_bytes and _size(frame) > self._limits.max_bytes:
            await self.close(TOO_LARGE, f"messages are limited to {self._limits.max_bytes} bytes")
            raise PeerGone(code=TOO_LARGE)
        return frame

    async def send(self, *frames: str) -> None:
        """Send the frames in order, in one write. Raises PeerGone, also if the peer takes nothing for `send_s`.

        Cancelling cuts the stream: nothing can be sent after it, not even a goodbye.
        """
        with trio.move_on_after(self._limits.send_s) as scope:
            await self._send(frames)
        if scope.cancelled_caught:
            raise PeerGone(reason="the peer does not read")

    async def _send(self, frames: tuple[str, ...]) -> None:
        try:
            self._stream.cork()
            for frame in frames:
                await self._connection.send_message(frame)
            await self._stream.uncork()
        except tws.ConnectionClosed as closed:
            raise _gone(closed) from closed
        except (trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError) as closed:
            raise PeerGone(reason="broken") from closed

    async def ping(self) -> None:
        """Return when the peer has answered a ping. Raises PeerGone."""
        try:
            await self._connection.ping()
        except tws.ConnectionClosed as closed:
            raise _gone(closed) from closed
        except ProtocolError as closed:
            raise PeerGone(reason="closing") from closed

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye and wait for the answer, for `close_s` at most, also when cancelled. Never raises but Cancelled."""
        if self._stream.cut:
            return
        with trio.move_on_after(self._limits.close_s, shield=True):
            await self._connection.aclose(code, reason[:120])
            if self._connection.closed is not None and self._connection.closed.code == TOO_LARGE:
                await (
                    self._reader_ended.wait()
                )  # over the limit it ends, and leaves the socket open
                await self._stream.linger()


@asynccontextmanager
async def accept(
    stream: trio.abc.Stream,
    limits: Limits,
    admit: Callable[[Handshake], str | None],
) -> AsyncGenerator[WebSocket]:
    """Serve one WebSocket on `stream`. `admit` returns why a handshake is refused (HTTP 403), or None.

    Raises PeerGone if the handshake is refused or fails; the caller bounds the time until the context is entered.
    The stream is closed when the context is left; without an earlier close the peer hears 1001.
    """
    corked = CorkedStream(stream)
    async with _reader_service(corked) as service:
        connection = await _receive_handshake(service, corked, limits, admit)
        if connection is None:
            raise PeerGone(reason="the handshake failed")
        socket = WebSocket(connection, corked, limits, service.ended)
        try:
            yield socket
        finally:
            await socket.close(GOING_AWAY)  # noqa: ASYNC102 - shielded and bounded in itself


@asynccontextmanager
async def connect(host: str, port: int, limits: Limits) -> AsyncGenerator[WebSocket]:
    """Open a WebSocket to ws://host:port/. Raises Unreachable; the caller bounds the time.

    The socket is closed when the context is left; without an earlier close the peer hears 1000.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as fault:
        raise Unreachable(f"nothing listens on {host}:{port}") from fault
    async with client_on(stream, _authority(host, port), limits) as socket:
        yield socket


@asynccontextmanager
async def client_on(
    stream: trio.abc.Stream, authority: str, limits: Limits
) -> AsyncGenerator[WebSocket]:
    """The client's side of a WebSocket on any stream. Raises Unreachable if the other side refuses the upgrade."""
    corked = CorkedStream(stream)
    async with _reader_service(corked) as service:
        connection = await _send_handshake(service, corked, authority, limits)
        if connection is None:
            raise Unreachable(f"{authority} refuses the WebSocket: {service.fault}")
        socket = WebSocket(connection, corked, limits, service.ended)
        try:
            yield socket
        finally:
            await socket.close()  # noqa: ASYNC102 - shielded and bounded in itself


@attrs.define(eq=False)
class _ReaderService:
    """Runs the library's reader until `scope` is cancelled, whatever is cancelled around it.

    The reader must outlive the body that it serves, or a goodbye has nobody to hear its answer. When the reader ends
    while a handshake is under way, the handshake is cancelled: the library would wait for it for ever.
    """

    nursery: trio.Nursery
    scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True))
    handshake: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    fault: str = "it closed the connection"

    def as_nursery(self) -> trio.Nursery:
        """The library only calls `start_soon` of the nursery it is given."""
        return cast("trio.Nursery", self)

    def start_soon(self, reader: Callable[[], Awaitable[object]]) -> None:
        self.nursery.start_soon(self._run, reader, name="websocket reader")

    async def _run(self, reader: Callable[[], Awaitable[object]]) -> None:
        with self.scope:
            try:
                await reader()
            except (tws.ConnectionClosed, tws.HandshakeError, ProtocolError) as fault:
                self.fault = repr(fault)
        self.ended.set()
        self.handshake.cancel(reason="the WebSocket reader ended")


@asynccontextmanager
async def _reader_service(stream: CorkedStream) -> AsyncGenerator[_ReaderService]:
    """A service for one reader. Our own outcomes leave it as they are, not wrapped in a group."""
    outcome: PeerGone | Unreachable | None = None
    async with trio.open_nursery() as nursery:
        service = _ReaderService(nursery)
        try:
            yield service
        except (PeerGone, Unreachable) as raised:
            outcome = raised
        finally:
            service.scope.cancel(reason="the connection was left")
            await trio.aclose_forcefully(stream)
    if outcome is not None:
        raise outcome


async def _receive_handshake(
    service: _ReaderService,
    stream: CorkedStream,
    limits: Limits,
    admit: Callable[[Handshake], str | None],
) -> tws.WebSocketConnection | None:
    with service.handshake:
        request = await tws.wrap_server_stream(
            service.as_nursery(), stream, limits.queue, limits.max_bytes, _RECEIVE_BYTES
        )
        refusal = admit(_handshake(request))
        if refusal is not None:
            await _refuse(request, refusal, service, limits)
        return await request.accept()
    return None


async def _send_handshake(
    service: _ReaderService, stream: CorkedStream, authority: str, limits: Limits
) -> tws.WebSocketConnection | None:
    with service.handshake:
        return await tws.wrap_client_stream(
            service.as_nursery(),
            cast("trio.SocketStream", stream),
            authority,
            "/",
            message_queue_size=limits.queue,
            max_message_size=limits.max_bytes,
            receive_buffer_size=_RECEIVE_BYTES,
        )
    return None


async def _refuse(
    request: tws.WebSocketRequest, refusal: str, service: _ReaderService, limits: Limits
) -> NoReturn:
    await request.reject(403, body=refusal.encode())
    with trio.move_on_after(limits.close_s):
        await service.ended.wait()
    raise PeerGone(reason=refusal)


def _handshake(request: tws.WebSocketRequest) -> Handshake:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers
    }
    # The library keeps the Host header to itself.
    headers["host"] = request._event.host  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return Handshake(path=request.path, headers=headers)


def _gone(closed: tws.ConnectionClosed) -> PeerGone:
    if closed.reason is None:
        return PeerGone()
    return PeerGone(code=closed.reason.code, reason=closed.reason.reason or "")


def _size(frame: str | bytes) -> int:
    return len(frame.encode()) if isinstance(frame, str) else len(frame)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
