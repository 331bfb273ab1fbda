"""What one client fetches of large results: its requests answered one after the other, as fast as it reads."""

from typing import Final

import attrs
import trio

from exai_trio import structs
from exai_trio.bus.message_bus import MessageBus
from exai_trio.errors import ExaiError, NotFoundError, OverCapacityError
from exai_trio.storage.contracts.stored_payloads import StoredPayload
from exai_trio.wire.codec import encode
from exai_trio.wire.messages import ErrorReply, PayloadAck, PayloadGet
from exai_trio.wire.payload_frames import MOST_UNANSWERED, Payload, encode_piece

from ..delivery.outbox import Outbox
from ..delivery.wire_errors import as_fault

_READ_AT_ONCE: Final = 2  # pieces
_NOTE_S: Final = 2.0  # that a client has left waits so long for the disk
_AHEAD_BYTES: Final = 524_288  # that wait to be written, with so many pieces more at most

Request = PayloadGet | PayloadAck


@structs.define(eq=False)
class PayloadTransfers:
    """Of one connection, in whose nursery `legs` it works while there is something to answer."""

    bus: MessageBus | None
    principal: str
    outbox: Outbox
    legs: trio.Nursery | None = None
    _waiting: list[Request] = attrs.field(factory=list[Request])
    _known: StoredPayload | None = None

    def __repr__(self) -> str:
        return f"<PayloadTransfers waiting={len(self._waiting)}>"

    def ask(self, request: Request) -> None:
        """It is answered in its turn, or at once if more wait than may."""
        if len(self._waiting) > MOST_UNANSWERED:
            why = f"at most {MOST_UNANSWERED} requests for pieces may be unanswered"
            self._refuse(request, OverCapacityError(why))
            return
        self._waiting.append(request)
        if len(self._waiting) == 1 and self.legs is not None:
            self.legs.start_soon(self._answer_all, name="payloads")

    async def _answer_all(self) -> None:
        while self._waiting:
            first, answered = self._waiting[0], 1
            try:
                if isinstance(first, PayloadAck):
                    await self._note_delivered(first)
                else:
                    await self.outbox.wait_below(_AHEAD_BYTES)
                    answered = await self._answer(first)
            except ExaiError as fault:
                self._refuse(first, fault)
            del self._waiting[:answered]

    def _refuse(self, request: Request, fault: ExaiError) -> None:
        reply = ErrorReply(request_id=request.request_id, error=as_fault(fault, "payload"))
        self.outbox.put(encode(reply))

    async def _note_delivered(self, ack: PayloadAck) -> None:
        """Also if its client leaves at once, as who has all does."""
        bus = self._kept()
        with trio.move_on_after(_NOTE_S, shield=True):
            await bus.deliver(await self._payload(bus, ack.transaction_id))

    def _kept(self) -> MessageBus:
        if self.bus is None:
            raise NotFoundError("this daemon keeps no large results")
        return self.bus

    async def _answer(self, request: PayloadGet) -> int:
        """How many of those that wait are answered by it."""
        bus = self._kept()
        payload = await self._payload(bus, request.transaction_id)
        asked = self._asked_of(payload)
        pieces = await bus.pieces(payload, [one.offset for one in asked])
        for one, data in zip(asked, pieces, strict=False):
            last = one.offset + len(data) >= payload.size_bytes
            about = Payload(request_id=one.request_id, offset=one.offset, last=last)
            self.outbox.put(encode_piece(about, data))
        return len(pieces)

    def _asked_of(self, payload: StoredPayload) -> list[PayloadGet]:
        """Those in a row that are first in turn, as many as are read in one go."""
        asked: list[PayloadGet] = []
        for one in self._waiting[:_READ_AT_ONCE]:
            if not (isinstance(one, PayloadGet) and one.transaction_id == payload.transaction_id):
                break
            asked.append(one)
        return asked

    async def _payload(self, bus: MessageBus, transaction_id: str) -> StoredPayload:
        known = self._known
        if known is None or known.transaction_id != transaction_id or known.expires_at <= bus.now():
            known = self._known = await bus.find(transaction_id, self.principal)
        return known
