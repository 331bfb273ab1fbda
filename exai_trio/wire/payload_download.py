"""A client's side of a large result that is fetched in pieces. Pure: no trio, no clock, no I/O; every method is one step.

The pieces come in order. After a connection was lost those that had not come are asked for again, from the byte that is missing.
"""

import hashlib
from typing import Any, Final

import attrs
from msgspec import UNSET

from exai_trio import structs

from .codec import WireError
from .messages import PAYLOAD_REF, CallResult, Fault, Output, PayloadAck, PayloadGet, RequestId
from .payload_frames import MOST_UNANSWERED, PIECE_BYTES, PayloadRef, Piece

DAMAGED: Final = "PAYLOAD_DAMAGED"


@structs.define(eq=False)
class PayloadDownload:
    """`received` bytes have come. `request_id` is that of the call; all that is said of its result bears it."""

    request_id: RequestId
    ref: PayloadRef
    received: int = 0
    _asked: int = 0
    _unanswered: int = 0
    _digest: Any = attrs.field(factory=hashlib.sha256, repr=False)

    def due(self) -> list[PayloadGet]:
        """What is to be asked now, several at a time; from now on it counts as asked."""
        due: list[PayloadGet] = []
        if self._unanswered > MOST_UNANSWERED // 2:
            return due
        while self._unanswered < MOST_UNANSWERED and self._asked < self.ref.size:
            due.append(
                PayloadGet(
                    request_id=self.request_id,
                    transaction_id=self.ref.transaction_id,
                    offset=self._asked,
                )
            )
            self._asked = min(self.ref.size, (self._asked // PIECE_BYTES + 1) * PIECE_BYTES)
            self._unanswered += 1
        return due

    def reconnect(self) -> None:
        """What was asked on another connection is not answered on this one."""
        self._asked, self._unanswered = self.received, 0

    def take(self, piece: Piece) -> bytes:
        """The bytes that come next; none of a piece that is not the next. Raises WireError for more than there are, or for none."""
        self._unanswered = max(0, self._unanswered - 1)
        if piece.about.offset != self.received:
            return b""
        if not piece.data or self.received + len(piece.data) > self.ref.size:
            raise WireError("a piece of a large result has another length than it can have")
        self.received += len(piece.data)
        self._digest.update(piece.data)
        if self.received % PIECE_BYTES and not self.is_complete:  # those asked for begin elsewhere
            self.reconnect()
        return piece.data

    @property
    def is_complete(self) -> bool:
        return self.received == self.ref.size

    def fault(self) -> Fault | None:
        """Why what has come is not what was stored."""
        if self.ref.sha256 is UNSET or self._digest.hexdigest() == self.ref.sha256:
            return None
        why = f"the result {self.ref.transaction_id} did not arrive as it was stored (SHA-256 differs)"
        return Fault(
            code=DAMAGED,
            message=f"{why}; the call ran. Send it again under a new request_id",
            category="storage",
            retryable=False,
            correlation_id="client",
        )

    def acknowledgement(self) -> PayloadAck:
        """Once all is in the client's hands."""
        return PayloadAck(request_id=self.request_id, transaction_id=self.ref.transaction_id)


def with_whole_text(result: CallResult, text: str) -> CallResult:
    """The result as if it had come in one message."""
    told = result.outputs[0].metadata or {}
    metadata = {name: value for name, value in told.items() if name != PAYLOAD_REF}
    return attrs.evolve(result, outputs=[Output(text=text, metadata=metadata)])
