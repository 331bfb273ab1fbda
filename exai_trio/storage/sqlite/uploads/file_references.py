"""Who refers to which upload: each function is one piece of work in an open transaction.

A reference that has ended stays as a row that does not count, until the upload's row goes: so a principal is known to have held it.
"""

from typing import TYPE_CHECKING, Final

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import DeletionJob
from exai_trio.storage.contracts.provider_uploads import ProviderUpload
from exai_trio.storage.sqlite.uploads import deletion_queue
from exai_trio.storage.sqlite.uploads.upload_rows import uploads_of

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

_ADD: Final = """
    INSERT INTO file_references (upload, owner, principal, since, used_at) VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (upload, owner, principal) DO UPDATE SET used_at = excluded.used_at, ended_at = NULL
"""
_END: Final = """
    UPDATE file_references SET ended_at = ? WHERE upload = ? AND owner = ? AND principal = ? AND ended_at IS NULL
"""
_HELD: Final = """
    SELECT * FROM provider_file_uploads u
    WHERE provider = ? AND account = ? AND upload_status = 'completed'
        AND EXISTS (SELECT 1 FROM file_references WHERE upload = u.id AND principal = ?)
    ORDER BY uploaded_at, rowid
"""
_HOLDERS: Final = """
    SELECT u.provider_file_id, coalesce(r.principal, '') FROM provider_file_uploads u
    LEFT JOIN file_references r ON r.upload = u.id WHERE provider = ?1 AND account = ?2 AND provider_file_id <> ''
    UNION SELECT j.provider_file_id, coalesce(r.principal, '') FROM file_deletion_jobs j
    LEFT JOIN file_references r ON r.upload = j.upload WHERE provider = ?1 AND account = ?2
"""
_OF_FILE: Final = """
    SELECT * FROM provider_file_uploads WHERE provider = ? AND account = ? AND provider_file_id = ?
"""


@structs.frozen
class Referrer:
    """Whose reference it is, and what refers."""

    principal: str
    owner: str


def has_held(connection: "Connection", upload_id: str, principal: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM file_references WHERE upload = ? AND principal = ?", (upload_id, principal)
    )
    return found.fetchone() is not None


def add(connection: "Connection", now: float, upload_id: str, who: Referrer) -> None:
    connection.execute(_ADD, (upload_id, who.owner, who.principal, now))
    connection.execute(
        "UPDATE provider_file_uploads SET last_used = ? WHERE id = ?", (now, upload_id)
    )


def add_to_completed(connection: "Connection", now: float, upload_id: str, who: Referrer) -> bool:
    found = connection.execute(
        "SELECT 1 FROM provider_file_uploads WHERE id = ? AND upload_status = 'completed'",
        (upload_id,),
    ).fetchone()
    if found is not None:
        add(connection, now, upload_id, who)
    return found is not None


def end(connection: "Connection", now: float, upload_id: str, who: Referrer) -> None:
    connection.execute(_END, (now, upload_id, who.owner, who.principal))


def end_owner(connection: "Connection", now: float, who: Referrer) -> int:
    done = connection.execute(
        "UPDATE file_references SET ended_at = ? WHERE owner = ? AND principal = ? AND ended_at IS NULL",
        (now, who.owner, who.principal),
    )
    return done.rowcount


def abandon(
    connection: "Connection", now: float, principal: str, key: tuple[str, str, str]
) -> DeletionJob | None:
    rows = uploads_of(connection.execute(_OF_FILE, key))
    connection.executemany(
        "DELETE FROM file_references WHERE upload = ? AND principal = ?",
        ((row.id, principal) for row in rows),
    )
    counts = "SELECT max(reference_count) FROM provider_file_uploads u WHERE provider = ? AND account = ? AND provider_file_id = ?"
    (referred,) = connection.execute(counts, key).fetchone()
    if not rows or referred:
        return None
    connection.executemany(
        "UPDATE provider_file_uploads SET provider_file_id = '', upload_status = 'deleted' WHERE id = ?",
        ((row.id,) for row in rows),
    )
    return deletion_queue.take_file(connection, now, rows[0], "deleted by its holder")


def uploads(
    connection: "Connection", principal: str, provider: str, account: str
) -> tuple[ProviderUpload, ...]:
    return uploads_of(connection.execute(_HELD, (provider, account, principal)))


def holders(connection: "Connection", provider: str, account: str) -> dict[str, frozenset[str]]:
    held: dict[str, frozenset[str]] = {}
    for file_id, principal in connection.execute(_HOLDERS, (provider, account)):
        one = frozenset({principal} if principal else ())
        held[file_id] = held.get(file_id, frozenset()) | one
    return held
