"""The rows of large results of which the other side hears: each state, from the outbox, and the content itself when it has been stored."""

from typing import TYPE_CHECKING

import attrs

from exai_trio.storage.contracts.stored_payloads import StoredPayload
from exai_trio.storage.hosted.guarded_bucket import RESULTS
from exai_trio.storage.hosted.outbox_entries import Entry, as_text
from exai_trio.storage.sqlite.mirrored import unsent_objects
from exai_trio.storage.sqlite.mirrored.outbox_table import SqliteOutbox, add
from exai_trio.storage.sqlite.mirrored.unsent_objects import SqliteUnsent
from exai_trio.storage.sqlite.payload_rows import SqlitePayloads

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

    from exai_trio.storage.sqlite.store import SqliteStore


def telling(store: "SqliteStore", outbox: SqliteOutbox, unsent: SqliteUnsent) -> SqlitePayloads:
    """The rows of an open store."""

    def told(done: object) -> None:
        outbox.tell(done)
        unsent.tell(done)

    return SqlitePayloads(store, _tell, told)


def _tell(connection: "Connection", payload: StoredPayload) -> None:
    """In the transaction that changes it. One that was never stored is nobody else's business."""
    if not payload.pieces:
        return
    body = attrs.asdict(payload, recurse=False)
    body["pieces"] = [(piece.length, piece.xxh64) for piece in payload.pieces]
    entry = Entry(
        id=f"p:{payload.transaction_id}:{payload.status}",
        kind="payload",
        key=f"result:{payload.transaction_id}",
        body=as_text(body),
        at=payload.created_at,
    )
    add(connection, [entry])
    if payload.status == "stored":
        unsent_objects.add(connection, RESULTS, payload.transaction_id, payload.stored_bytes)
