"""The rows of large results in the file of an open store, and the audit of what becomes of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import msgspec

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import Change
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPiece
from exai_trio.storage.sqlite.uploads.audit_rows import note

if TYPE_CHECKING:  # one module imports sqlite3
    from sqlite3 import Connection

    from exai_trio.storage.sqlite.store import SqliteStore

T = TypeVar("T")

_FIELDS: Final = tuple(field.name for field in attrs.fields(StoredPayload))
_HELD: Final = "SELECT coalesce(sum(stored_bytes), 0) FROM message_bus WHERE status <> 'expired'"
# The columns in the order of the fields.
_BEGIN: Final = """
    INSERT INTO message_bus (transaction_id, principal, session_id, request_id, status, size_bytes, stored_bytes,
        compression, sha256, created_at, expires_at, delivered_at, pieces)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ALL: Final = """
    SELECT transaction_id, principal, session_id, request_id, status, size_bytes, stored_bytes,
        compression, sha256, created_at, expires_at, delivered_at, pieces
    FROM message_bus
"""
_FIND: Final = (
    _ALL
    + "WHERE transaction_id = ? AND principal = ? AND expires_at > ? AND status IN ('stored', 'delivered')"
)
_ONE: Final = _ALL + "WHERE transaction_id = ? AND stored_bytes > 0"
_IN_ORDER: Final = _ALL + "ORDER BY created_at, rowid"
_DUE: Final = _ALL + (
    "WHERE status <> 'expired' AND (expires_at <= ? OR status = 'pending') ORDER BY created_at, rowid LIMIT ?"
)
_FINISH: Final = """
    UPDATE message_bus SET status = 'stored', size_bytes = ?, stored_bytes = ?, compression = ?, sha256 = ?, pieces = ?
    WHERE transaction_id = ? AND status = 'pending'
"""
_DELIVER: Final = """
    UPDATE message_bus SET status = 'delivered', delivered_at = ? WHERE transaction_id = ? AND status = 'stored'
"""
_EXPIRE: Final = """
    UPDATE message_bus SET status = 'expired', deleted_at = ?
    WHERE transaction_id = ? AND status <> 'expired' AND (status = 'pending' OR NOT ?)
    RETURNING stored_bytes
"""
_FORGET: Final = """
    DELETE FROM message_bus WHERE rowid IN
        (SELECT rowid FROM message_bus WHERE status = 'expired' AND deleted_at < ? LIMIT ?)
"""


def _nobody(_connection: "Connection", _payload: StoredPayload) -> None:
    return


def _done(_outcome: object) -> None:
    return


@structs.frozen
class SqlitePayloads:
    """StoredPayloads in the file of an open store. `tell` is called in the transaction that changes one which was stored, with what it is
    then; `told` once that is on the disk."""

    _store: "SqliteStore"
    _tell: Callable[["Connection", StoredPayload], None] = _nobody
    _told: Callable[[object], None] = _done

    async def begin(self, payload: StoredPayload, most_bytes: int) -> bool:
        return await self._store.write(lambda connection: _begin(connection, payload, most_bytes))

    async def finish(self, payload: StoredPayload, now: float) -> bool:
        return await self._changed(
            lambda connection: _finish(connection, payload, now), payload.transaction_id
        )

    async def find(self, transaction_id: str, principal: str, now: float) -> StoredPayload | None:
        found = await self._select(_FIND, (transaction_id, principal, now))
        return found[0] if found else None

    async def deliver(self, transaction_id: str, now: float) -> None:
        await self._changed(
            lambda connection: _deliver(connection, transaction_id, now), transaction_id
        )

    async def expire(
        self, transaction_ids: tuple[str, ...], now: float, why: str, *, if_pending: bool = False
    ) -> tuple[str, ...]:
        def work(connection: "Connection") -> tuple[str, ...]:
            return tuple(
                one
                for one in transaction_ids
                if _expire(connection, one, now, why, if_pending=if_pending)
            )

        return await self._changed(work, *transaction_ids)

    async def due(self, now: float, most: int) -> tuple[StoredPayload, ...]:
        return await self._select(_DUE, (now, most))

    async def forget(self, before: float, most: int) -> int:
        return await self._store.write(
            lambda connection: connection.execute(_FORGET, (before, most)).rowcount
        )

    async def all(self) -> tuple[StoredPayload, ...]:
        return await self._select(_IN_ORDER, ())

    async def _changed(self, work: Callable[["Connection"], T], *transaction_ids: str) -> T:
        def told(connection: "Connection") -> T:
            outcome = work(connection)
            for one in transaction_ids if outcome else ():
                for row in connection.execute(_ONE, (one,)).fetchall():
                    self._tell(connection, _payload_in(row))
            return outcome

        return await self._store.write(told, done=self._told)

    async def _select(self, query: str, values: tuple[Any, ...]) -> tuple[StoredPayload, ...]:
        return await self._store.read(
            lambda connection: tuple(map(_payload_in, connection.execute(query, values)))
        )


def payloads_in(connection: "Connection") -> tuple[StoredPayload, ...]:
    """All rows; none of a file of an older schema."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'message_bus'").fetchone()
    return tuple(map(_payload_in, connection.execute(_IN_ORDER))) if found else ()


def _payload_in(row: tuple[Any, ...]) -> StoredPayload:
    fields: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    pieces = msgspec.json.decode(fields["pieces"], type=list[tuple[int, str]])
    fields["pieces"] = tuple(StoredPiece(*piece) for piece in pieces)
    return StoredPayload(**fields)


def _written(pieces: tuple[StoredPiece, ...]) -> str:
    return msgspec.json.encode([(piece.length, piece.xxh64) for piece in pieces]).decode()


def _begin(connection: "Connection", payload: StoredPayload, most_bytes: int) -> bool:
    (held,) = connection.execute(_HELD).fetchone()
    if held + payload.stored_bytes > most_bytes:
        return False
    values = attrs.astuple(payload, recurse=False)[:-1]
    connection.execute(_BEGIN, (*values, _written(payload.pieces)))
    _note(connection, payload.created_at, payload.transaction_id, "pending", payload.stored_bytes)
    return True


def _finish(connection: "Connection", payload: StoredPayload, now: float) -> bool:
    values = (
        payload.size_bytes, payload.stored_bytes, payload.compression, payload.sha256, _written(payload.pieces),
        payload.transaction_id,
    )  # fmt: skip
    done = connection.execute(_FINISH, values).rowcount > 0
    if done:
        _note(connection, now, payload.transaction_id, "stored", payload.stored_bytes)
    return done


def _note(
    connection: "Connection", at: float, transaction_id: str, why: str, size: int = 0
) -> None:
    note(connection, at, "bus", (Change(subject=transaction_id, why=why, bytes=size),))


def _deliver(connection: "Connection", transaction_id: str, now: float) -> bool:
    done = connection.execute(_DELIVER, (now, transaction_id)).rowcount > 0
    if done:
        _note(connection, now, transaction_id, "delivered")
    return done


def _expire(
    connection: "Connection", transaction_id: str, now: float, why: str, *, if_pending: bool
) -> bool:
    done = connection.execute(_EXPIRE, (now, transaction_id, if_pending)).fetchall()
    for (size,) in done:
        _note(connection, now, transaction_id, f"expired: {why}", size)
    return bool(done)
