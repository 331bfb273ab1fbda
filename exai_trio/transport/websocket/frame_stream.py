"""The reader and the writer of an open WebSocket: wsproto's parser before a stream.

Received messages are handed on in the reader's own turn, and many sent ones go out in one write. The reader never waits for
a write: two that each wait for the other to read would wait for ever.
"""

import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from os import urandom
from typing import Final, NoReturn

import attrs
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from exai_trio import structs
from exai_trio.system.change import Change

from .connection_errors import PeerGone
from .connection_limits import Limits
from .frame_writer import GONE, FrameWriter
from .inbox import Inbox
from .liveness import Life
from .message_assembly import Assembly, Message, TooLargeError
from .outgoing_frames import unmasked

Side = ConnectionType
Take = Callable[[Message], Awaitable[None]]
NORMAL, TOO_LARGE = 1000, 1009
_RECEIVE_BYTES: Final = 65_536
_KINDS: Final[dict[type, Callable[..., Event]]] = {str: TextMessage, bytes: BytesMessage}


@structs.define(eq=False, repr=False, weakref_slot=False)  # small: one for each connection
class FrameStream:
    """One connection, from its opening handshake to its end. It is read in the background, but by `relay` while that runs; tasks
    in the background send pongs, too."""

    _stream: trio.abc.Stream
    _protocol: Connection
    _background: trio.Nursery
    _life: Life
    _writer: FrameWriter
    _inbox: Inbox
    _assembly: Assembly
    _has_ended: bool = False  # nothing more can be read, and all that came has been taken care of
    _is_over: bool = False  # nothing more can be read
    _is_left: bool = False  # by its owner, who has called `close`
    _why: tuple[int, str] | None = None  # the peer's code and reason, or ours for it
    _asked: bytes | None = None  # by a ping that is not answered
    _take: Take | None = None  # where messages go, if not to the inbox
    _reading: trio.CancelScope | None = None  # in the background
    _change: Change = attrs.field(factory=Change)

    @classmethod
    def on(
        cls,
        stream: trio.abc.Stream,
        side: Side,
        received: bytes,
        background: trio.Nursery,
        limits: Limits,
    ) -> "FrameStream":
        """The connection that begins with what was `received` behind the handshake; it is read from now on, until it is left."""
        first = limits.max_bytes if side is Side.CLIENT else limits.first_bytes
        assembly = Assembly(min(first, limits.max_bytes), limits.max_bytes)
        protocol = Connection(side, trailing_data=received)
        life, inbox = Life(), Inbox(limits.queue)
        writer = FrameWriter(stream, background, life)
        frames = cls(stream, protocol, background, life, writer, inbox, assembly)
        frames.start_reader()
        return frames

    def leave(self) -> None:
        """Nobody has use for the connection: stop reading. Its stream is still to be closed."""
        if self._reading is not None:
            self._reading.cancel(reason="the connection was left")

    @property
    def is_cut(self) -> bool:
        """Whether nothing can be said any more, not even goodbye."""
        return self._writer.cut

    async def receive(self) -> Message:
        """The next message. Raises PeerGone. Cancelling loses none."""
        message = await self._inbox.get()
        if message is None:
            raise self._gone()
        return message

    async def relay(self, take: Take) -> NoReturn:
        """Read, and hand every message to `take`, those first that wait. Raises PeerGone at the end, or what `take` raised.
        Cancelling loses no message that was not yet handed over."""
        try:
            await self._stop_reader()
            self._take = take
            while (message := self._inbox.get_nowait()) is not None:
                await self._hand_on(message)
            await self._read()
        finally:
            self._take = None
            if not self._has_ended:
                self.start_reader()
        raise self._gone()

    async def send(self, frames: Iterable[Message], limit_s: float) -> None:
        """Send the texts and bytes in order, in one write. Raises PeerGone, also if for `limit_s` the peer took nothing of it. Cancelling cuts the stream."""
        self._check_open()
        if self._protocol.client:
            data = b"".join([self._protocol.send(_KINDS[type(one)](data=one)) for one in frames])
        else:
            data = unmasked(frames)
        await self._write(data, limit_s)

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
        await self._write(self._protocol.send(Ping(payload=asked)))
        while self._asked is asked and not self._has_ended:
            await self._change.wait()
        if self._asked is asked:
            raise self._gone()

    async def close(self, code: int, reason: str, last: str = "") -> None:
        """Say `last`, if that is something, and goodbye, unless that was said or cannot be, and return when the peer has answered.
        Cancelling may cut the stream."""
        if self.is_cut:
            return
        self._is_left = True
        self._change.tell()
        if self._protocol.state is ConnectionState.OPEN:
            goodbye = self._protocol.send(CloseConnection(code=code, reason=reason))
            self._inbox.discard()
            with suppress(PeerGone):  # audit: suppress, because who is gone needs no goodbye
                await self._write(unmasked([last]) + goodbye if last else goodbye)
        while not self._has_ended:
            await self._change.wait()

    def start_reader(self) -> None:
        """Once; afterwards whoever stops it starts it again."""
        self._reading = trio.CancelScope(shield=True)  # cancelled, too, a goodbye is to be heard
        self._background.start_soon(self._read_behind, self._reading, name="websocket reader")

    async def _stop_reader(self) -> None:
        """Return when it has stopped, which takes a turn of the scheduler."""
        self.leave()
        while self._reading is not None:
            with trio.CancelScope(shield=True):  # two must not read
                await self._change.wait()

    async def _read_behind(self, reading: trio.CancelScope) -> None:
        with reading:
            await self._read()
            while not self._is_over:
                await self._change.wait()
                await self._read()
        self._reading = None
        self._change.tell()

    async def _read(self) -> None:
        """Read until the connection ends, or something is refused and our side has not left yet. Long idle in here, so it is one
        function: each is a frame of its own."""
        while not self._is_paused():
            for event in self._protocol.events():
                await self._handle(event)
            if self._is_paused():
                break
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except GONE:
                # audit: silent-loop, because no data is the end, and the loop ends with it
                data = b""
            self._protocol.receive_data(bytes(data) or None)  # None: hung up without a goodbye
        if self._is_over:
            self._has_ended = True
            self._inbox.end()
            self._change.tell()

    def _is_paused(self) -> bool:
        return self._is_over or (self._why is not None and not self._is_left)

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
            self._show_life()
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
            await (self._take or self._inbox.put)(message)
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
            with suppress(PeerGone):  # audit: suppress, because a peer that is gone needs no answer
                await self._write(self._protocol.send(event.response()))

    def _refuse(self, why: str) -> None:
        """Nothing more is read until our side leaves; then all is dropped until the peer has heard why."""
        if self._protocol.state is ConnectionState.OPEN:
            self._writer.owe(self._protocol.send(CloseConnection(code=TOO_LARGE, reason=why)))
        self._end(TOO_LARGE, why)

    def _end(self, code: int, reason: str) -> None:
        self._why = self._why or (code, reason)
        self._inbox.end()

    def _show_life(self) -> None:
        if not self._writer.owes:
            self._answer(Pong())

    def _answer(self, pong: Pong) -> None:
        """None after our goodbye."""
        if self._protocol.state is ConnectionState.OPEN:
            self._writer.owe(self._protocol.send(pong))

    async def _write(self, data: bytes, limit_s: float = math.inf) -> None:
        try:
            is_taken = await self._writer.write(data, limit_s)
        except GONE as lost:
            raise self._gone() from lost
        if not is_taken:
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
        state = "cut" if self.is_cut else self._protocol.state.name.lower()
        return f"<FrameStream {state} {self._inbox!r}>"
