"""One HTTP connection as we have hypercorn serve it: HTTP/1.1 alone, and no head that takes for ever."""

import math
from typing import Any, Final, cast

import h11
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.typing import ConnectionState
from hypercorn.utils import (
    parse_socket_addr,  # pyright: ignore[reportUnknownVariableType]  # hypercorn's
)

_HEAD_S: Final = 5.0  # for a whole request head, from its first byte
_VERSIONS: Final = frozenset({b"1.0", b"1.1"})
_LENGTH: Final = b"content-length"
_NOT_SUPPORTED: Final = 505  # this version of HTTP


class _OtherVersion(Exception):
    """A request of a version that is not spoken here, such as the preface of HTTP/2."""


class _Http11(H11Protocol):
    """Becomes no other protocol but, where `upgrades` is set, WebSocket: who asks for another is answered as if it had not. `holds` is
    true while a head is said whose body follows at once."""

    upgrades = False
    holds = False

    @property
    def begun(self) -> bool:
        """Whether something of a next request is there already."""
        return bool(self.connection.trailing_data[0])

    async def handle(self, event: Event) -> None:
        try:
            await super().handle(event)
        except _OtherVersion:
            await self._send_error_response(_NOT_SUPPORTED)
            await self.send(Closed())

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.http_version not in _VERSIONS:
            raise _OtherVersion

    async def _send_h11_event(self, event: Any) -> None:
        self.holds = isinstance(event, h11.Response) and _LENGTH in dict(event.headers)
        await super()._send_h11_event(event)

    async def _create_stream(self, request: h11.Request) -> None:
        wanted = request if self.upgrades and _wants_socket(request) else _without_upgrade(request)
        await super()._create_stream(wanted)


def _wants_socket(request: h11.Request) -> bool:
    return (b"upgrade", b"websocket") in ((name, value.lower()) for name, value in request.headers)


def _without_upgrade(request: h11.Request) -> h11.Request:
    left = [(name, value) for name, value in request.headers if name != b"upgrade"]
    if len(left) == len(request.headers):
        return request
    return h11.Request(
        method=request.method,
        target=request.target,
        headers=left,
        http_version=request.http_version,
    )


class Http11Server(TCPServer):
    """One connection. `at_work` is true while a request is under way: then its peer may be silent, else it has `_HEAD_S` seconds
    from its first byte, or from the beginning, for a whole head, and the configured ones to begin with another.

    hypercorn's own starts a task for each wait and writes a head and its body one after the other.
    """

    at_work = False
    upgrades = False
    _http: _Http11
    _until = math.inf
    _asks = True  # a head has begun
    _held = b""
    _reading: trio.CancelScope | None = None

    async def run(self) -> None:
        """Serve until the peer has gone or was too slow. Cancelling closes the stream."""
        socket = cast("trio.SocketStream", self.stream).socket
        self._until = trio.current_time() + _HEAD_S
        try:
            peer, here = socket.getpeername(), socket.getsockname()
            async with TaskGroup() as self._task_group:
                self._http = _Http11(
                    self.app,
                    self.config,
                    self.context,
                    self._task_group,
                    ConnectionState(self.state),
                    ssl=False,
                    client=parse_socket_addr(socket.family, peer),
                    server=parse_socket_addr(socket.family, here),
                    send=self.protocol_send,
                )
                self._http.upgrades = self.upgrades
                self.protocol = cast("Any", self._http)
                await self._read_data()
        except OSError:  # audit: empty-handler, because a peer that is gone ends the connection
            pass
        finally:
            await self._close()  # noqa: ASYNC102 - a shutdown and a close, which wait for nobody

    async def protocol_send(self, event: Event) -> None:
        """What the protocol says to its connection. Cancelling may leave an answer half sent; then only closing is of use."""
        match event:
            case RawData():
                self._held += event.data
                if self._held and not self._http.holds:
                    data, self._held = self._held, b""
                    await self._write(data)
            case Updated():
                self.at_work = not event.idle
                self._asks = event.idle and self._http.begun
                idle_s = _HEAD_S if self._asks else self.config.keep_alive_timeout
                self._wait_until(trio.current_time() + idle_s if event.idle else math.inf)
            case _:
                await super().protocol_send(event)

    async def _write(self, data: bytes) -> None:
        """All of it, or the connection is closed: also where this is cancelled, for nobody could read half an answer."""
        try:
            self.send_lock.acquire_nowait()
        except trio.WouldBlock:
            await self.send_lock.acquire()
        try:
            with trio.CancelScope(shield=True):
                await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self.protocol.handle(Closed())
        finally:
            self.send_lock.release()

    def _wait_until(self, deadline: float) -> None:
        self._until = deadline
        if self._reading is not None:
            self._reading.deadline = deadline

    async def _read_data(self) -> None:
        """Until the peer has hung up, or was too slow to ask. Who has hung up is not kept for as long as who is idle."""
        while data := await self._received():
            if not (self.at_work or self._asks):
                self._asks, self._until = True, trio.current_time() + _HEAD_S
            await self.protocol.handle(RawData(bytes(data)))
        await self.protocol.handle(RawData(b""))
        await self.protocol.handle(Closed())

    async def _received(self) -> bytes | bytearray:
        """Nothing if the peer is gone or late."""
        with trio.CancelScope(deadline=self._until) as self._reading:  # noqa: ASYNC912 - it receives, or the stream is closed
            try:
                return await self.stream.receive_some(MAX_RECV)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                # audit: empty-handler, because nothing received is the end of the connection
                pass
        return b""
