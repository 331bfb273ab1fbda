"""Which uploads may need which stored object: each function is one piece of work in an open transaction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from exai_trio.storage.contracts.cleanup_records import Change
from exai_trio.storage.sqlite.uploads.audit_rows import note

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

_DISPOSABLE: Final = """
    SELECT DISTINCT sha256 FROM provider_file_uploads u
    WHERE upload_status = 'deleted' AND reference_count = 0 AND file_id <> ''
        AND NOT EXISTS (SELECT 1 FROM file_deletion_jobs j WHERE j.upload = u.id AND j.reported_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM provider_file_uploads o
            WHERE o.sha256 = u.sha256 AND (o.upload_status <> 'deleted' OR o.reference_count > 0))
    LIMIT ?
"""
_UNREFERENCED: Final = """
    SELECT sha256 FROM provider_file_uploads WHERE file_id <> ''
    GROUP BY sha256 HAVING max(reference_count) = 0 AND max(upload_status = 'pending') = 0
    ORDER BY max(last_used) LIMIT ?
"""
_KNOWN: Final = """
    SELECT 1 FROM provider_file_uploads
    WHERE sha256 = ? AND (upload_status <> 'deleted' OR reference_count > 0)
"""
_NEEDED: Final = """
    SELECT 1 FROM provider_file_uploads
    WHERE sha256 = ? AND (upload_status = 'pending' OR reference_count > 0)
"""


def disposable(connection: "Connection", most: int) -> tuple[str, ...]:
    return tuple(sha256 for (sha256,) in connection.execute(_DISPOSABLE, (most,)))


def unreferenced(connection: "Connection", most: int) -> tuple[str, ...]:
    return tuple(sha256 for (sha256,) in connection.execute(_UNREFERENCED, (most,)))


def is_known(connection: "Connection", sha256: str) -> bool:
    return connection.execute(_KNOWN, (sha256,)).fetchone() is not None


def dispose(
    connection: "Connection",
    now: float,
    sha256: str,
    unlink: Callable[[str], int],
    *,
    even_known: bool,
) -> int:
    """No claim is granted while this runs, for a claim is a write too."""
    spared = _NEEDED if even_known else _KNOWN
    if connection.execute(spared, (sha256,)).fetchone() is not None:
        return 0
    connection.execute("UPDATE provider_file_uploads SET file_id = '' WHERE sha256 = ?", (sha256,))
    freed = unlink(sha256)
    if freed:
        why = "no room" if even_known else "no upload needs it"
        note(connection, now, "delete", (Change(subject=f"object:{sha256}", why=why, bytes=freed),))
    return freed
