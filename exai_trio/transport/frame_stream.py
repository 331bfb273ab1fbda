"""The reader and the writer of an open WebSocket: wsproto's parser before a stream.

Received messages are handed on in the reader's own turn, and many sent ones go out in one write. The reader never waits for
a write: two that each wait for the other to read would wait for ever.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from os import urandom
from typing import Final, NoReturn

import attrs
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from exai_trio import structs
from exai_trio.system.change import Change

from .liveness import Life
from .message_assembly import Assembly, Message, TooLargeError
from .message_relay import Inbox, Take
from .websocket_errors import PeerGone
from .write_nowait import written_at_once

Side = ConnectionType
NORMAL, TOO_LARGE = 1000, 1009
_RECEIVE_BYTES: Final = 65_536
_PIECE_BYTES: Final = 65_536  # of a long write: a peer that takes so much in time reads
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@structs.define(
    eq=False, repr=False, weakref_slot=False
)  # one for each connection: it is to be small
class FrameStream:
    """One connection, from its opening handshake to its end. One task reads; pongs are sent by tasks `beside` it.

    `cut` is true once a write ended midway: the peer would take the next bytes for part of the old ones.
    """

    _stream: trio.abc.Stream
    _protocol: Connection
    _beside: trio.Nursery
    _inbox: Inbox
    _assembly: Assembly
    cut: bool = False
    _has_ended: bool = False  # the reader
    _is_over: bool = False  # nothing more can be read
    _is_left: bool = False  # by its owner, who has called `close`
    _why: tuple[int, str] | None = None  # the peer's code and reason, or ours for it
    _asked: bytes | None = None  # by a ping that is not answered
    _life: Life = attrs.field(factory=Life)
    _turn: trio.StrictFIFOLock = attrs.field(factory=trio.StrictFIFOLock)
    _change: Change = attrs.field(factory=Change)

    @classmethod
    def on(  # noqa: PLR0917 - each is another thing
        cls,
        stream: trio.abc.Stream,
        side: Side,
        received: bytes,
        beside: trio.Nursery,
        sizes: tuple[int, int],
        queue: int,
    ) -> "FrameStream":
        """The connection that begins with what was `received` behind the handshake. `sizes` in bytes are those of the first
        message and of the others; `queue` messages may wait."""
        protocol = Connection(side, trailing_data=received)
        return cls(stream, protocol, beside, Inbox(queue), Assembly(*sizes))

    async def receive(self) -> Message:
        """The next message. Raises PeerGone. Cancelling loses none."""
        message = await self._inbox.get()
        if message is None:
            raise self._gone()
        return message

    async def relay(self, take: Take) -> NoReturn:
        """Hand every message to `take` in the reader's turn. Raises PeerGone at the end, or what `take` raised. Cancelling loses
        no message that was not yet handed over."""
        await self._inbox.relay(take)
        raise self._gone()

    async def send(self, frames: Iterable[str], limit_s: float) -> None:
        """Send the texts in order, in one write. Raises PeerGone, also if for `limit_s` the peer took nothing of it. Cancelling
        cuts the stream."""
        self._check_open()
        data = b"".join([self._protocol.send(TextMessage(data=frame)) for frame in frames])
        if self._turn.locked():
            await self._write_in_turn(data, limit_s)
            return
        self._turn.acquire_nowait()
        try:
            left = data[written_at_once(self._stream, data) :]
            if left:
                await self._write(left, limit_s)
        finally:
            self._turn.release()

    async def answers_ping(self, within_s: float) -> bool:
        """Whether the peer answers a ping. False once nothing was heard of it for `within_s`: on a slow line the answer comes
        behind what is sent before, but signs that this arrives do not. While a message of the peer's waits to be taken nothing
        can be heard, and that the peer reads is sign enough. One task may ask.

        Raises PeerGone. Cancelling may cut the stream.
        """
        with self._life.asking(within_s) as limit:
            await self._ping()
        return not limit.cancelled_caught

    async def _ping(self) -> None:
        self._check_open()
        self._asked = asked = urandom(4)
        await self._write_in_turn(self._protocol.send(Ping(payload=asked)), math.inf)
        while self._asked is asked and not self._has_ended:
            await self._change.wait()
        if self._asked is asked:
            raise self._gone()

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, unless that was said or cannot be, and return when the peer has answered. Cancelling may cut the
        stream."""
        if self.cut:
            return
        self._is_left = True
        self._change.tell()
        if self._protocol.state is ConnectionState.OPEN:
            goodbye = self._protocol.send(CloseConnection(code=code, reason=reason))
            self._inbox.discard()
            with suppress(PeerGone):
                await self._write_in_turn(goodbye, math.inf)
        while not self._has_ended:
            await self._change.wait()

    async def read(self) -> None:
        """Read until the connection ends. Raises nothing. Cancelling ends the connection for whoever waits for a message."""
        try:
            while not self._is_over:
                for event in self._protocol.events():
                    await self._handle(event)
                if not self._is_over:
                    await self._read_more()
        finally:
            self._has_ended = True
            self._inbox.end()
            self._change.tell()

    async def _read_more(self) -> None:
        while self._why is not None and not self._is_left:
            await self._change.wait()
        data: bytes | bytearray = b""
        with suppress(*_GONE):
            data = await self._stream.receive_some(_RECEIVE_BYTES)
        self._protocol.receive_data(bytes(data) or None)  # None: the peer hung up without a goodbye

    async def _handle(self, event: Event) -> None:
        match event:
            case TextMessage():
                await self._handle_part(event.data, is_last=event.message_finished)
            case BytesMessage():
                await self._handle_part(bytes(event.data), is_last=event.message_finished)
            case Ping():
                self._life.heard()
                self._answer(event.response())
            case Pong():
                self._handle_pong(bytes(event.payload))
            case CloseConnection():
                await self._handle_goodbye(event)
            case _:
                pass

    async def _handle_part(self, part: Message, *, is_last: bool) -> None:
        """Of a message, or all of it. Who sends a long one has no other way to know that it arrives: pings wait behind it."""
        self._life.heard()
        if not is_last and self._life.is_to_be_shown(begins=not self._assembly.has_begun):
            self._show()
        if self._why is not None:
            return
        try:
            message = self._assembly.add(part, is_last=is_last)
        except TooLargeError as fault:
            self._refuse(str(fault))
            return
        if message is not None:
            await self._hand_on(message)

    async def _hand_on(self, message: Message) -> None:
        self._life.is_deaf = True
        try:
            await self._inbox.put(message)
        finally:
            self._life.is_deaf = False

    def _handle_pong(self, payload: bytes) -> None:
        """Asked for or not: the system tells only in large steps what has left its buffers."""
        self._life.heard()
        self._life.read()
        if payload == self._asked:
            self._asked = None
            self._change.tell()

    async def _handle_goodbye(self, event: CloseConnection) -> None:
        """The peer's, or that of wsproto for a peer that breaks the protocol."""
        self._end(int(event.code), event.reason or "")
        self._is_over = True
        if self._protocol.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.OPEN):
            with suppress(PeerGone):
                await self._write_in_turn(self._protocol.send(event.response()), math.inf)

    def _refuse(self, why: str) -> None:
        """Nothing more is read until our side leaves; then all is dropped until the peer has heard why, or `close` is cut
        short."""
        if self._protocol.state is ConnectionState.OPEN:
            self._owe(self._protocol.send(CloseConnection(code=TOO_LARGE, reason=why)))
        self._end(TOO_LARGE, why)

    def _end(self, code: int, reason: str) -> None:
        self._why = self._why or (code, reason)
        self._inbox.end()

    def _show(self) -> None:
        if not self._life.owed:
            self._answer(Pong())

    def _answer(self, pong: Pong) -> None:
        """Only the newest one matters, and none after our goodbye."""
        if self._protocol.state is ConnectionState.OPEN:
            self._owe(self._protocol.send(pong))

    def _owe(self, data: bytes) -> None:
        """It goes out behind what is being written, or by a task of its own."""
        is_taken_along = self._life.is_writing or self._life.owed
        self._life.owed = data
        if not is_taken_along:
            self._beside.start_soon(self._pay, name="websocket pong")

    async def _pay(self) -> None:
        with suppress(PeerGone):
            async with self._turn:
                await self._write(self._life.take_owed(), math.inf)

    async def _write_in_turn(self, data: bytes, limit_s: float) -> None:
        async with self._turn:
            await self._write(data, limit_s)

    async def _write(self, data: bytes, limit_s: float) -> None:
        """A write that does not end well closes the stream, so that whoever waits for its turn writes nothing after it."""
        left = memoryview(data)
        try:
            with self._life.writing(limit_s):
                while left:
                    await self._stream.send_all(left[:_PIECE_BYTES])
                    self._life.read()
                    left = left[_PIECE_BYTES:] or memoryview(self._life.take_owed())
        except _GONE as lost:
            raise self._gone() from lost
        finally:
            if left:
                self.cut = True
                await trio.aclose_forcefully(self._stream)
        if left:
            raise PeerGone(reason="the peer does not read")

    def _check_open(self) -> None:
        if self._protocol.state is not ConnectionState.OPEN:
            raise self._gone()

    def _gone(self) -> PeerGone:
        if self._why is not None:
            code, reason = self._why
            return PeerGone(code=code, reason=reason)
        if self._protocol.state is ConnectionState.OPEN:
            return PeerGone(reason="broken")
        return PeerGone(code=NORMAL)

    def __repr__(self) -> str:
        state = "cut" if self.cut else self._protocol.state.name.lower()
        return f"<FrameStream {state} {self._inbox!r}>"
