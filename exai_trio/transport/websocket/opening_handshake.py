"""The opening handshake of a WebSocket, by what trio-websocket offers in public.

trio-websocket is given a stream that shows it the other side's head and nothing behind that, so that it can be left as
soon as the connection is open: the frames are `frame_stream`'s. Which requests are allowed is not decided here.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol, cast

import attrs
import h11
import trio
from wsproto.utilities import ProtocolError

from exai_trio import structs
from exai_trio.system.exception_groups import first_of
from exai_trio.system.import_memory import versions_without_metadata
from exai_trio.wire.hosts import Refusal

from .connection_errors import PeerGone, Unreachable

with versions_without_metadata():
    import trio_websocket as tws

RawHeaders = tuple[tuple[bytes, bytes], ...]

_RECEIVE_BYTES: Final = 65_536
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_SWITCHING: Final = b"HTTP/1.1 101 "
_NEEDED: Final = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version"}
)
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
_REFUSED: Final = (tws.HandshakeError, tws.ConnectionClosed, ProtocolError, h11.ProtocolError)
_HUNG_UP: Final = "it closed the connection"


@structs.frozen(kw_only=True)
class Handshake:
    """What a client sent before the upgrade; header names are in lower case. `raw` has every header as it came."""

    path: str
    headers: Mapping[str, str]
    raw: RawHeaders = ()


class _Head(Protocol):
    """The beginning of what the other side sends: `feed` says what of it trio-websocket is to see, `is_passed` that this was
    all, and `rest` is what came behind."""

    is_passed: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes: ...


@structs.define(eq=False)
class _RequestHead:
    """A client's: all of its headers, of which trio-websocket tells only some."""

    is_passed: bool = False
    rest: bytes = b""
    headers: RawHeaders = ()
    _raw: bytearray = attrs.field(factory=bytearray)
    _parser: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.SERVER))

    def feed(self, data: bytes) -> bytes:
        self._raw += data
        try:
            self._parser.receive_data(data)
            event = self._parser.next_event()
        except h11.RemoteProtocolError:  # trio-websocket cannot read it either, and says so
            self.is_passed = True
            return bytes(self._raw)
        if not isinstance(event, h11.Request):
            return b""
        self.is_passed = True
        self.headers = tuple(event.headers)
        self.rest = self._parser.trailing_data[0]
        return _plain(event)


def _plain(request: h11.Request) -> bytes:
    """The request without what is not needed: wsproto decodes Host as IDNA, which may fail or take long, and other headers
    as ASCII."""
    headers = [
        (name, value) for name, value in request.headers if name in _NEEDED and value.isascii()
    ]
    plain = h11.Request(
        method=request.method, target=request.target, headers=[(b"host", b"localhost"), *headers]
    )
    return h11.Connection(h11.CLIENT).send(plain) or b""


@structs.define(eq=False)
class _ResponseHead:
    """A server's. A refusal is shown whole, with its body."""

    is_passed: bool = False
    rest: bytes = b""
    _raw: bytes = b""
    _refuses: bool = False

    def feed(self, data: bytes) -> bytes:
        if self._refuses:
            return data
        self._raw += data
        end = _END_OF_HEAD.search(self._raw)
        if end is None and len(self._raw) <= _RECEIVE_BYTES:
            return b""
        if end is None or not self._raw.startswith(_SWITCHING):
            self._refuses = True
            return self._raw
        self.is_passed = True
        self.rest = self._raw[end.end() :]
        return self._raw[: end.end()]


@structs.define(eq=False)
class _Opening(trio.abc.Stream):
    """The stream as trio-websocket sees it during the handshake, and the handshake itself. A fault of the stream ends it:
    trio-websocket would wait for ever."""

    _stream: trio.abc.Stream
    _head: _Head
    fault: str = ""
    handshake: trio.Nursery = attrs.field(init=False)

    def give_up(self, why: str) -> None:
        self.fault = self.fault or why
        self.handshake.cancel_scope.cancel(reason=why)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """A part of the other side's head. Cancelling loses what came of it so far, and with it the connection."""
        while not self._head.is_passed:
            shown = self._head.feed(await self._received(max_bytes))
            if shown:
                return shown
        return await trio.sleep_forever()

    async def _received(self, max_bytes: int | None) -> bytes:
        with suppress(*_GONE):  # audit: suppress, because no data is the end of the handshake
            data = await self._stream.receive_some(max_bytes)
            if data:
                return bytes(data)
        self.give_up(_HUNG_UP)
        return await trio.sleep_forever()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send our part. Cancelling may cut the stream."""
        try:
            await self._stream.send_all(data)
        except _GONE:
            self.give_up(_HUNG_UP)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream's own."""
        await self._stream.wait_send_all_might_not_block()

    async def drain(self) -> None:
        """Read and drop until the peer has hung up. Cancelling leaves the rest unread."""
        with suppress(*_GONE):
            # audit: suppress, because that the peer hangs up is what is waited for
            while await self._stream.receive_some():
                pass

    async def aclose(self) -> None:
        """trio-websocket has told the peer that this is no handshake of a WebSocket."""
        self.give_up("it sent no WebSocket handshake")


@asynccontextmanager
async def _opening(stream: trio.abc.Stream, head: _Head) -> AsyncGenerator[_Opening]:
    """A handshake, done when the context is left. What went wrong stands in `fault`."""
    opening = _Opening(stream, head)
    try:
        async with trio.open_nursery() as opening.handshake:
            yield opening
            opening.handshake.cancel_scope.cancel(reason="the handshake is done")
    except* _REFUSED as refused:
        opening.fault = repr(first_of(refused))


async def accept_upgrade(
    stream: trio.abc.Stream, admit: Callable[[Handshake], Refusal | None], linger_s: float
) -> bytes:
    """Let a client in: returns what came behind its head. Raises PeerGone if the handshake fails, or if `admit` says why not,
    which the client is told and has `linger_s` to read. Cancelling leaves a stream that can only be closed.
    """
    head = _RequestHead()
    async with _opening(stream, head) as opening:
        request = await tws.wrap_server_stream(opening.handshake, opening)
        refusal = admit(_as_handshake(request.path, head.headers))
        if refusal is None:
            await request.accept()
        else:
            await request.reject(refusal.status, body=refusal.text.encode())
            with trio.move_on_after(linger_s):
                await opening.drain()
            opening.give_up(refusal.text)
    if opening.fault:
        raise PeerGone(reason=opening.fault)
    return head.rest


async def request_upgrade(stream: trio.abc.Stream, authority: str, path: str = "/") -> bytes:
    """Ask a server to speak WebSocket: returns what came behind its head. Raises Unreachable if it refuses. Cancelling leaves a
    stream that can only be closed.
    """
    head = _ResponseHead()
    async with _opening(stream, head) as opening:
        ours = cast("trio.SocketStream", opening)  # so the library says; any stream will do
        await tws.wrap_client_stream(opening.handshake, ours, authority, path)
    if opening.fault:
        raise Unreachable(f"{authority} refuses the WebSocket: {opening.fault}")
    return head.rest


def _as_handshake(path: str, raw: RawHeaders) -> Handshake:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return Handshake(path=path, headers=headers, raw=raw)
