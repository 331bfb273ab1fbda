"""One connection of one session: three legs that end together.

The reader only reads, the writer alone sends.
"""

from typing import Final

import trio

from exai_trio import structs
from exai_trio.errors import InvalidRequestError
from exai_trio.system.exception_groups import first_of
from exai_trio.transport.websocket import INTERNAL, PeerGone, WebSocket
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import (
    Ack,
    Bye,
    CallFailed,
    CallTool,
    Cancel,
    ErrorReply,
    Health,
    Hello,
    ListTools,
    PayloadAck,
    PayloadGet,
    Ping,
    Pong,
    RotateToken,
)

from ..context import DaemonContext
from ..delivery.outbox import Farewell, Outbox
from ..delivery.wire_errors import as_fault
from ..sessions.session import Session
from .frames import is_long, is_short, objection, read, size_of
from .handshake import UNAUTHORIZED
from .identity import OWNER, Identity
from .payload_transfers import PayloadTransfers
from .rate_limits import RateLimits
from .requests import Requests

# All but RotateToken, which waits for the disk.
_Taken = (
    Hello | ListTools | CallTool | Cancel | Ack | Ping | Health | PayloadGet | PayloadAck | CallFailed | ErrorReply
)  # fmt: skip
_SAID_BEFORE: Final = ErrorReply(
    error=as_fault(InvalidRequestError("hello was already said on this connection"), "hello")
)


@structs.define(eq=False)
class _Closing(Exception):
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
    rates: RateLimits
    transfers: PayloadTransfers
    identity: Identity = OWNER

    def __repr__(self) -> str:
        state = "closing" if self.outbox.farewell else "open"
        return f"<Connection of {self.session.id} {state} waiting={self.outbox.held_bytes}>"

    async def converse(self) -> None:
        """Serve until the peer is gone or the outbox is closed; then detach from the session. Calls go on. Cancelling does the
        same, and leaves the socket for its owner to close."""
        farewell: Farewell | None = None
        try:
            async with trio.open_nursery() as legs:
                self.outbox.connection = legs.cancel_scope
                self.transfers.legs = legs
                legs.start_soon(self._read, name="reader")
                legs.start_soon(self._write, name="writer")
                legs.start_soon(self._beat, name="heartbeat")
                if not self.identity.is_lasting:
                    legs.start_soon(self._watch_identity, legs.cancel_scope, name="identity")
        except* _Closing as closing:
            farewell = first_of(closing).farewell
        except* PeerGone:  # audit: empty-handler, because that is how conversations end
            pass
        finally:
            self.session.detach(self.outbox)
        if farewell is not None:
            await self.socket.close(farewell.code, farewell.reason)

    async def _read(self) -> None:
        await self.socket.relay(self._receive)

    async def _receive(self, frame: str | bytes) -> None:
        if self._is_over:
            return
        size, most = size_of(frame), self.context.config.tool_call_max_size
        traffic = self.requests.report.traffic
        traffic.received += 1
        traffic.received_bytes += size
        unread = None if is_short(size, most) else await objection(frame, size, most)
        found = unread or read(frame)
        if is_long(size):
            await trio.lowlevel.checkpoint()
        if isinstance(found, RotateToken):
            await self._rotate(found)
        else:
            self._take(found, size)
        if not isinstance(found, Ack):  # which brings no answer
            await self.outbox.wait_room()
        pause = self.rates.pause_s()
        if pause is not None:
            await trio.sleep(pause)

    @property
    def _is_over(self) -> bool:
        """Nothing is heard any more of a client whose token is not good any more."""
        farewell = self.outbox.farewell
        return farewell is not None and farewell.code == UNAUTHORIZED

    async def _write(self) -> None:
        traffic = self.requests.report.traffic
        while True:
            frames = await self.outbox.take()
            if frames:
                traffic.sent += len(frames)
                traffic.sent_bytes += sum(map(len, frames))
                await self.socket.send(*frames)
            elif self.outbox.farewell is not None:
                raise _Closing(self.outbox.farewell)

    async def _beat(self) -> None:
        config = self.context.config
        while True:
            await trio.sleep(config.ws_ping_interval)
            if not await self.socket.answers_ping(config.ws_ping_timeout):
                raise _Closing(Farewell(INTERNAL, "missed heartbeats"))
            self.session.beat_at = trio.current_time()

    async def _watch_identity(self, connection: trio.CancelScope) -> None:
        """Once the token is not good any more nothing is heard that comes, and the peer has EXAI_WS_CLOSE_TIMEOUT to hear why."""
        why = await self.identity.wait_over(self.context.clock.now)
        self.outbox.put(encode(Bye(reason=why, retry_after_s=0.0)))
        self.outbox.close(Farewell(UNAUTHORIZED, why))
        connection.deadline = trio.current_time() + self.context.config.ws_close_timeout

    async def _rotate(self, asked: RotateToken) -> None:
        """Nothing else is read meanwhile: what comes after it may be by another's token."""
        objection = self.identity.objection or self.rates.objection()
        self.session.spoken_to = True
        self.session.sender.send(await self.requests.rotate(asked, self.identity, objection))

    def _take(self, found: _Taken, size: int) -> None:
        """Pass it on. What only notes or ends something is never refused: else the client would hold memory for longer."""
        session, sender = self.session, self.session.sender
        session.spoken_to = True
        match found:
            case CallTool():
                session.call_tool(found, size, self.identity.objection or self.rates.objection())
            case Ack():
                session.acknowledge(found)
            case Ping(request_id=request_id):
                sender.send(Pong(request_id=request_id))
            case Cancel():
                session.cancel(found, self.identity.objection)
            case ListTools() | Health():
                sender.send(self.requests.answer(found, self.rates.objection()))
            case PayloadGet() | PayloadAck():
                self.transfers.ask(found)
            case Hello():
                sender.send(_SAID_BEFORE)
            case CallFailed():
                sender.deliver(session.rules.number(found))
            case ErrorReply():
                sender.send(found)
