"""One HTTP/1.1 connection in one task: h11 reads and writes it, and the application runs between a request and its answer."""

import logging
import math
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import attrs
import h11
import trio

from exai_trio import structs
from exai_trio.system.clock import unix_now

from .write_nowait import written_at_once

log = logging.getLogger("exai.http")

AsgiApp = Callable[..., Awaitable[None]]
Message = dict[str, Any]

_HEAD_S: Final = 5.0  # for a whole request head, from its first byte
_REST_S: Final = 2.0  # for the rest of a body that nobody wanted: its sender is to read why
_UNREAD_S: Final = 10.0  # a peer that takes nothing of an answer for so long is cut
_PIECE: Final = 2**16
_READ: Final = 2**16
_VERSIONS: Final = frozenset({b"1.0", b"1.1"})
_WITHOUT_BODY: Final = frozenset({204, 304})
_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding"})
_FAILED, _OTHER_VERSION = 500, 505
_TOLD: Final = frozenset({h11.DONE, h11.MUST_CLOSE})
_GONE: Final[Message] = {"type": "http.disconnect"}
_ASGI: Final = {"version": "3.0", "spec_version": "2.1"}


@structs.define(eq=False, repr=False)
class HttpConnection:
    """Serves `app`, which finds the stream in scope["state"]["transport"].

    `at_work` is true while a request is under way: then its peer may be silent, else it has `_HEAD_S` seconds from its first byte,
    or from the beginning, for a whole head, and `idle_s` to begin with another. Who asks for another protocol is answered as if
    it had not; but where `upgrade` is given, it gets who asks for a WebSocket, with the bytes of the request.
    """

    app: AsgiApp
    stream: trio.SocketStream
    idle_s: float
    upgrade: Callable[[trio.SocketStream, bytes], Awaitable[None]] | None = None
    at_work: bool = False
    _http: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.SERVER))
    _until: float = math.inf
    _asks: bool = True  # a head has begun
    _read: bytes = b""  # since the request began, as long as it may be taken over
    _held: bytes = b""  # a head whose body follows at once
    _has_no_body: bool = False  # whatever the application says
    _ends: Message = attrs.field(factory=Message)
    _is_cut: trio.Event = attrs.field(factory=trio.Event)  # nothing can be written any more

    async def run(self) -> None:
        """Serve until the peer has gone or was too slow. Cancelling closes the stream."""
        self._until = trio.current_time() + _HEAD_S
        try:
            self._ends = _ends_of(self.stream)
            while request := await self._request():
                self.at_work, self._until = True, math.inf
                if self.upgrade is not None and _wants_socket(request):
                    await self.upgrade(self.stream, self._read)
                    return
                if not await self._serves_on_after(request):
                    break
        except OSError:  # audit: empty-handler, because a peer that is gone ends the connection
            pass
        finally:
            await self.stream.aclose()

    async def _request(self) -> h11.Request | None:
        """The next one; None if there is none that could be answered."""
        self._read = self._http.trailing_data[0]
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                await self._receive_more()
        except h11.RemoteProtocolError as fault:
            await self._refuse(fault.error_status_hint)
            return None
        return event if isinstance(event, h11.Request) else None

    async def _serves_on_after(self, request: h11.Request) -> bool:
        """Have it answered. Returns whether another may follow."""
        self._has_no_body = request.method == b"HEAD"
        if request.http_version not in _VERSIONS:
            await self._refuse(_OTHER_VERSION)
            return False
        try:
            await self.app(self._scope(request), self._receive, self._send)
        except Exception:
            log.exception("an HTTP application failed")
        await self._refuse(_FAILED)  # if nothing was said
        if not await self._is_over():
            return False
        self._http.start_next_cycle()
        self.at_work, self._asks = False, bool(self._http.trailing_data[0])
        self._until = trio.current_time() + (_HEAD_S if self._asks else self.idle_s)
        return True

    async def _is_over(self) -> bool:
        """Whether both sides have said all. What was not read of a body is read now, and thrown away."""
        self._until = trio.current_time() + _REST_S
        while self._http.their_state is h11.SEND_BODY and self._http.our_state in _TOLD:
            await self._event()
        return self._http.our_state is self._http.their_state is h11.DONE

    def _scope(self, request: h11.Request) -> Message:
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": request.http_version.decode(),
            "method": request.method.decode().upper(),
            "scheme": "http",
            "path": unquote(path.decode()),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "state": {"transport": self.stream},
            **self._ends,
        }

    # What the application hears and says

    async def _receive(self) -> Message:
        """Cancelling loses nothing."""
        if self._http.they_are_waiting_for_100_continue:
            await self._write(
                self._said(h11.InformationalResponse(status_code=100, headers=_headers([])))
            )
        event = await self._event()
        if event is h11.PAUSED:  # the peer has asked more, which says nothing of this request
            await self._is_cut.wait()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        if isinstance(event, h11.EndOfMessage):
            return {"type": "http.request", "body": b"", "more_body": False}
        return _GONE

    async def _send(self, message: Message) -> None:
        """A head waits for its body where the length is told; else all is written at once. What a peer that is gone should have
        read is dropped. Cancelling waits until it is written, or the peer is cut."""
        data, self._held = self._held, b""
        if message["type"] == "http.response.start":
            headers = _headers(message.get("headers", ()))
            data = self._said(h11.Response(status_code=message["status"], headers=headers))
            self._has_no_body |= message["status"] in _WITHOUT_BODY
            if any(name == b"content-length" for name, _ in headers):
                self._held = data
                return
        else:
            body = b"" if self._has_no_body else message.get("body", b"")
            data += self._said(h11.Data(data=body)) if body else b""
            data += b"" if message.get("more_body", False) else self._said(h11.EndOfMessage())
        await self._write(data)

    # What goes over the stream

    async def _event(self) -> object:
        """What the peer says next; that it is gone, if it makes no sense."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                await self._receive_more()
        except h11.RemoteProtocolError:
            return h11.ConnectionClosed()
        return event

    async def _receive_more(self) -> None:
        """Nothing, if the peer is gone or late."""
        data = b""  # also if it is late
        with trio.CancelScope(deadline=self._until):  # noqa: ASYNC912 - it receives, or the stream is closed
            try:
                data = bytes(await self.stream.receive_some(_READ))
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                data = b""
        if not (self.at_work or self._asks):
            self._asks, self._until = True, trio.current_time() + _HEAD_S
        if self.upgrade is not None and not self.at_work:
            self._read += data
        self._http.receive_data(data)

    async def _refuse(self, status: int) -> None:
        """Unless an answer has begun."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = _headers([(b"content-length", b"0"), (b"connection", b"close")])
            head = self._said(h11.Response(status_code=status, headers=headers))
            await self._write(head + self._said(h11.EndOfMessage()))

    def _said(self, event: h11.Event) -> bytes:
        return b"" if self._http.our_state is h11.ERROR else self._http.send(event) or b""

    async def _write(self, data: bytes) -> None:
        """All of it, also where this is cancelled, for nobody could read half an answer; a peer that takes nothing of it is cut."""
        left = memoryview(data)[written_at_once(self.stream, data) :]
        try:
            while left:
                with trio.fail_after(_UNREAD_S, shield=True):
                    await self.stream.send_all(left[:_PIECE])
                left = left[_PIECE:]
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            self._http.send_failed()
            self._is_cut.set()
            self.stream.socket.close()  # under who waits for what it may still say


def _headers(said: Any) -> list[tuple[bytes, bytes]]:
    return [*said, (b"date", _date(int(unix_now())))]


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _ends_of(stream: trio.SocketStream) -> Message:
    """Raises OSError."""
    peer, here = stream.socket.getpeername(), stream.socket.getsockname()
    if stream.socket.family not in {trio.socket.AF_INET, trio.socket.AF_INET6}:
        return {"client": None, "server": None}
    return {"client": peer[:2], "server": here[:2]}


def _wants_socket(request: h11.Request) -> bool:
    """By a whole handshake: what is less is answered as if it had not, since hypercorn refuses that and leaves it open for ever."""
    said = {name: value.lower() for name, value in request.headers}
    tokens = {token.strip() for token in said.get(b"connection", b"").split(b",")}
    return (
        (request.method, request.http_version) == (b"GET", b"1.1")
        and said.get(b"upgrade") == b"websocket"
        and b"upgrade" in tokens
        and said.get(b"sec-websocket-version") == b"13"
        and b"sec-websocket-key" in said
        and not said.keys() & _OF_BODIES
    )
