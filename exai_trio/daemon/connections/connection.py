"""One connection of one session: three legs that end together. The reader only reads, the writer alone sends."""

from typing import Final

import attrs
import trio
from msgspec import UNSET

from exai_trio import structs
from exai_trio.errors import InvalidRequestError
from exai_trio.transport.websocket import INTERNAL, PeerGone, WebSocket
from exai_trio.wire.beginning import MOST_VALUES
from exai_trio.wire.codec import WireError, decode_client, encode
from exai_trio.wire.messages import (
    Ack,
    Bye,
    CallFailed,
    CallTool,
    Cancel,
    ClientMessage,
    ErrorReply,
    Health,
    Hello,
    ListTools,
    MaybeId,
    Ping,
    Pong,
    RotateToken,
)

from ..calls.wire_errors import as_fault
from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..sessions.session import Session
from .auth import OWNER, Identity
from .frame_limits import Unread, objection
from .handshake import UNAUTHORIZED
from .rate_limits import Pace
from .requests import Requests

_LONG: Final = (
    262_144  # bytes: what is done with so many takes milliseconds, and others have a turn between
)
_NO_ID: Final = "no request_id was found that this answer could carry: text of 1 to 512 characters, or an integer"


@structs.define(eq=False)
class _Left(Exception):
    """A leg ended the connection on purpose."""

    farewell: Farewell


@structs.frozen(eq=False)
class Connection:
    """A connection from its hello to its end."""

    socket: WebSocket
    session: Session
    outbox: Outbox
    context: DaemonContext
    requests: Requests
    pace: Pace
    identity: Identity = OWNER

    async def converse(self) -> None:
        """Serve until the peer is gone or the outbox is closed; then detach from the session. Calls go on."""
        farewell: Farewell | None = None
        try:
            async with trio.open_nursery() as legs:
                self.outbox.connection = legs.cancel_scope
                legs.start_soon(self._read, name="reader")
                legs.start_soon(self._write, name="writer")
                legs.start_soon(self._beat, name="heartbeat")
                if not self.identity.is_lasting:
                    legs.start_soon(self._watch_identity, legs.cancel_scope, name="identity")
        except* _Left as left:
            farewell = _first(left)
        except* PeerGone:
            pass
        finally:
            self.session.detach(self.outbox)
        if farewell is not None:
            await self.socket.close(farewell.code, farewell.reason)

    async def _read(self) -> None:
        await self.socket.relay(self._receive)

    async def _receive(self, frame: str | bytes) -> None:
        if self.outbox.farewell is not None and self._is_over:
            return
        size, most = _size(frame), self.context.config.tool_call_max_size
        is_short = size <= MOST_VALUES and size <= most
        message = self._read_frame(frame) if is_short else await self._read_long(frame, size)
        if message is not None:
            self._dispatch(message, size)
        if not isinstance(message, Ack):  # which brings no answer
            await self.outbox.wait_room()
        pause = self.pace.pause_s()
        if pause is not None:
            await trio.sleep(pause)

    @property
    def _is_over(self) -> bool:
        farewell = self.outbox.farewell
        return farewell is not None and farewell.code == UNAUTHORIZED

    async def _write(self) -> None:
        while True:
            frames = await self.outbox.take()
            if frames:
                await self.socket.send(*frames)
            elif self.outbox.farewell is not None:
                raise _Left(self.outbox.farewell)

    async def _beat(self) -> None:
        config = self.context.config
        while True:
            await trio.sleep(config.ws_ping_interval)
            if not await self.socket.answers_ping(config.ws_ping_timeout):
                raise _Left(Farewell(INTERNAL, "missed heartbeats"))

    async def _watch_identity(self, connection: trio.CancelScope) -> None:
        """Once the token is not good any more nothing is heard that comes, and the peer has EXAI_WS_CLOSE_TIMEOUT to hear why."""
        why = await self.identity.wait_over(self.context.clock.now)
        self.outbox.put(encode(Bye(reason=why, retry_after_s=0.0)))
        self.outbox.close(Farewell(UNAUTHORIZED, why))
        connection.deadline = trio.current_time() + self.context.config.ws_close_timeout

    async def _read_long(self, frame: str | bytes, size: int) -> ClientMessage | None:
        """One that is looked through first, and with a turn for others behind the reading."""
        unread = await objection(frame, size, self.context.config.tool_call_max_size)
        if unread is not None:
            self._answer_unreadable(unread)
            return None
        message = self._read_frame(frame)
        if size > _LONG:
            await trio.lowlevel.checkpoint()
        return message

    def _read_frame(self, frame: str | bytes) -> ClientMessage | None:
        try:
            return decode_client(frame)
        except WireError as wrong:
            fault = InvalidRequestError(wrong.reason)
            self._answer_unreadable(Unread(fault, wrong.op, wrong.request_id))
            return None

    def _answer_unreadable(self, unread: Unread) -> None:
        """What has no id, or none that can be said again, is told so: its sender would wait for an answer under that id."""
        request_id: MaybeId = UNSET if unread.request_id is None else unread.request_id
        error = as_fault(unread.fault, "unreadable")
        if unread.request_id is None:
            error = attrs.evolve(error, message=f"{error.message}; {_NO_ID}")
        if unread.op in {"call_tool", "tool_call"}:
            failed = CallFailed(request_id=request_id, error=error)
            self.session.mail.deliver(self.session.rules.number(failed))
        else:
            self.session.mail.send(ErrorReply(request_id=request_id, error=error))

    def _dispatch(self, message: ClientMessage, size: int) -> None:
        session = self.session
        session.spoken_to = True
        if isinstance(message, CallTool):
            session.call_tool(message, size, self.pace.objection())
        elif isinstance(message, ListTools | Health | RotateToken):
            objection = self.pace.objection()
            session.mail.send(self.requests.answer(message, self.identity, objection))
        else:
            self._note(message)

    def _note(self, message: Ack | Ping | Cancel | Hello) -> None:
        """What is never refused: a client that may not cancel or acknowledge would only burden us longer."""
        session = self.session
        match message:
            case Ack(seq=seq):
                session.rules.acknowledge(seq)
            case Ping(request_id=request_id):
                session.mail.send(Pong(request_id=request_id))
            case Cancel():
                session.cancel(message)
            case Hello():
                fault = InvalidRequestError("hello was already said on this connection")
                session.mail.send(ErrorReply(error=as_fault(fault, "hello")))


def _size(frame: str | bytes) -> int:
    """In bytes, as it travelled."""
    if isinstance(frame, bytes) or frame.isascii():
        return len(frame)
    return len(frame.encode())


def _first(group: BaseExceptionGroup[_Left]) -> Farewell:
    inner = group.exceptions[0]
    return inner.farewell if isinstance(inner, _Left) else _first(inner)
