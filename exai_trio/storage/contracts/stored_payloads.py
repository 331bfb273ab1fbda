"""What is asked of a store of large results: a row each, which says where it is on its way from `pending` to `expired`.

The texts themselves are not here. No SQL. Times are unix seconds, sizes are bytes.

pending    its file is being written; nobody can ask for it
stored     its file is whole, and its principal can ask for it
delivered  the same, and a client has all of it
expired    its time is over, or its file was never finished; nobody can ask for it, and its file goes
"""

from typing import Final, Literal, Protocol

import attrs

from exai_trio import structs

PayloadStatus = Literal["pending", "stored", "delivered", "expired"]
KEPT: Final[tuple[PayloadStatus, ...]] = ("stored", "delivered")
ROW_GRACE_S: Final = 24 * 3600.0  # for so long one can be seen to have expired


@structs.frozen
class StoredPiece:
    """The bytes that a piece takes up in the file, and their xxh64 in hexadecimal digits; "" if none was made."""

    length: int
    xxh64: str


@structs.frozen(kw_only=True)
class StoredPayload:
    """A row. `session_id` and `request_id` are of the call whose result it is; `sha256` is of the plain text, "" if none was made."""

    transaction_id: str
    principal: str
    session_id: str
    request_id: str
    status: PayloadStatus
    size_bytes: int
    stored_bytes: int
    compression: str
    sha256: str = ""
    created_at: float
    expires_at: float
    delivered_at: float | None = None
    pieces: tuple[StoredPiece, ...] = attrs.field(default=(), repr=False)


class StoredPayloads(Protocol):
    """Each change is one transaction, noted in the audit in it. Raises StorageError when the store cannot be read or written;
    cancelling leaves a change done or not done, never half."""

    async def begin(self, payload: StoredPayload, most_bytes: int) -> bool:
        """Add a row that is pending. False if all that is kept, with its `stored_bytes`, would be more than `most_bytes`."""
        ...

    async def finish(self, payload: StoredPayload, now: float) -> bool:
        """It is stored now, as this says. False if its row is not pending any more."""
        ...

    async def find(self, transaction_id: str, principal: str, now: float) -> StoredPayload | None:
        """The one of this principal that can be asked for at `now`."""
        ...

    async def deliver(self, transaction_id: str, now: float) -> None:
        """A client has all of it; once more changes nothing."""
        ...

    async def expire(
        self, transaction_ids: tuple[str, ...], now: float, why: str, *, if_pending: bool = False
    ) -> tuple[str, ...]:
        """Nobody can ask for these any more; `if_pending`: but for those that have been stored. Returns those that have expired now."""
        ...

    async def due(self, now: float, most: int) -> tuple[StoredPayload, ...]:
        """Those whose time is over, and those that are pending, the oldest first: not those that have expired already."""
        ...

    async def forget(self, before: float, most: int) -> int:
        """Delete the rows of those that expired before. Returns how many those were."""
        ...

    async def all(self) -> tuple[StoredPayload, ...]:
        """Of all principals, in whatever state, oldest first."""
        ...
