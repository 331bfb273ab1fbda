"""The opening handshake of a WebSocket: a server's by `upgrade_request`, a client's by what trio-websocket offers in public.

trio-websocket is given a stream that shows it the server's head and nothing behind that, so that it can be left as soon as the
connection is open: the frames are `frame_stream`'s. Which requests are allowed is not decided here.
"""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, cast

import attrs
import h11
import trio
from wsproto.utilities import ProtocolError

from exai_trio import structs
from exai_trio.system.exception_groups import first_of
from exai_trio.system.import_memory import versions_without_metadata
from exai_trio.wire.hosts import Refusal

from ..write_nowait import written_at_once
from .connection_errors import PeerGone, Unreachable
from .upgrade_request import Handshake, NoUpgrade, UpgradeRequest

with versions_without_metadata():
    import trio_websocket as tws

_HEAD_BYTES: Final = 4096  # read at once of a request: nearly all are smaller
_LONGEST_HEAD: Final = 65_536  # of a response
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_SWITCHING: Final = b"HTTP/1.1 101 "
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
_REFUSED: Final = (tws.HandshakeError, tws.ConnectionClosed, ProtocolError, h11.ProtocolError)
_HUNG_UP: Final = "it closed the connection"


async def accept_upgrade(
    stream: trio.abc.Stream, admit: Callable[[Handshake], Refusal | None], linger_s: float
) -> bytes:
    """Let a client in: returns what came behind its head. Raises PeerGone if the handshake fails, or if `admit` says why not,
    which the client is told and has `linger_s` to read. Cancelling leaves a stream that can only be closed.
    """
    request = UpgradeRequest()
    try:
        refusal = admit(await _handshake_of(request, stream))
    except NoUpgrade as fault:
        answer, why, linger_s = fault.answer, fault.why, 0.0
    else:
        if refusal is None:
            await _say(stream, request.acceptance())
            return request.rest
        answer, why = request.refusal(refusal.status, refusal.text.encode()), refusal.text
    await _say(stream, answer)
    with trio.move_on_after(linger_s):
        await _drain(stream)
    raise PeerGone(reason=why)


async def _handshake_of(request: UpgradeRequest, stream: trio.abc.Stream) -> Handshake:
    while data := await _received(stream):
        handshake = request.feed(data)
        if handshake is not None:
            return handshake
    raise PeerGone(reason=_HUNG_UP)


async def _received(stream: trio.abc.Stream) -> bytes:
    with suppress(*_GONE):  # audit: suppress, because no data is the end of the handshake
        return bytes(await stream.receive_some(_HEAD_BYTES))
    return b""


async def _say(stream: trio.abc.Stream, data: bytes) -> None:
    try:
        unsaid = data[written_at_once(stream, data) :]
        if unsaid:
            await stream.send_all(unsaid)
    except _GONE as fault:
        raise PeerGone(reason=_HUNG_UP) from fault


async def _drain(stream: trio.abc.Stream) -> None:
    """Read and drop until the peer has hung up."""
    while await _received(stream):
        pass


@structs.define(eq=False)
class _ResponseHead:
    """The beginning of what a server sends: `feed` says what of it trio-websocket is to see, `is_passed` that this was all, and
    `rest` is what came behind. A refusal is shown whole, with its body."""

    is_passed: bool = False
    rest: bytes = b""
    _raw: bytes = b""
    _refuses: bool = False

    def feed(self, data: bytes) -> bytes:
        if self._refuses:
            return data
        self._raw += data
        end = _END_OF_HEAD.search(self._raw)
        if end is None and len(self._raw) <= _LONGEST_HEAD:
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
    _head: _ResponseHead
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

    async def aclose(self) -> None:
        """trio-websocket does not want to go on."""
        self.give_up("it sent no WebSocket handshake")


@asynccontextmanager
async def _opening(stream: trio.abc.Stream, head: _ResponseHead) -> AsyncGenerator[_Opening]:
    """A handshake, done when the context is left. What went wrong stands in `fault`."""
    opening = _Opening(stream, head)
    try:
        async with trio.open_nursery() as opening.handshake:
            yield opening
            opening.handshake.cancel_scope.cancel(reason="the handshake is done")
    except* _REFUSED as refused:
        opening.fault = repr(first_of(refused))


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
