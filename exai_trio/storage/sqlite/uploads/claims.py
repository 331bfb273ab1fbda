"""Claims on contents: who gives one to a provider, and what becomes of that. Each function is one piece of work in an open transaction."""

from typing import TYPE_CHECKING, Final

import attrs

from exai_trio.errors import StorageError
from exai_trio.storage.contracts.provider_uploads import (
    Busy,
    Claim,
    Known,
    Offer,
    ProviderUpload,
)
from exai_trio.storage.sqlite.uploads import deletion_queue, file_references
from exai_trio.storage.sqlite.uploads.file_references import Referrer
from exai_trio.storage.sqlite.uploads.upload_rows import by_content, by_id

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

LEASE_S: Final = 30.0  # renewed while bytes flow

_ADD: Final = """
    INSERT OR IGNORE INTO provider_file_uploads
        (provider, account, purpose, sha256, filename, file_size_bytes, upload_method, upload_status, last_used, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'deleted', ?, ?)
"""
_TAKE: Final = """
    UPDATE provider_file_uploads SET upload_status = 'pending', fence = fence + 1, claimed_by = :by, lease_until = :until,
        filename = :filename, file_size_bytes = :size, upload_method = :method, error_message = '',
        began_at = coalesce(began_at, :now)
    WHERE id = :id
    RETURNING fence
"""
_RIVALS: Final = """
    SELECT count(*) FROM provider_file_uploads
    WHERE provider = ? AND account = ? AND file_size_bytes = ? AND began_at IS NOT NULL AND id <> ?
"""
# The claim is still the asker's: WHERE id = :id AND fence = :fence AND upload_status = 'pending'
_FINISH: Final = """
    UPDATE provider_file_uploads SET upload_status = 'completed', provider_file_id = :file, filename = :filename,
        claimed_by = '', lease_until = 0, began_at = NULL, error_message = '', uploaded_at = :now, last_used = :now WHERE id = :id AND fence = :fence AND upload_status = 'pending'
"""
_FAIL: Final = """
    UPDATE provider_file_uploads SET upload_status = 'failed', error_message = :error, claimed_by = '', lease_until = 0,
        last_used = :now WHERE id = :id AND fence = :fence AND upload_status = 'pending'
"""
_RENEW: Final = "UPDATE provider_file_uploads SET lease_until = :until, last_used = :now WHERE id = :id AND fence = :fence AND upload_status = 'pending'"
_NOTE_OBJECT: Final = "UPDATE provider_file_uploads SET file_id = :file, last_used = :now WHERE id = :id AND fence = :fence AND upload_status = 'pending'"


def claim(
    connection: "Connection", now: float, offer: Offer, who: Referrer, by: str
) -> Known | Claim | Busy:
    content = offer.content
    connection.execute(
        _ADD,
        (*attrs.astuple(content), offer.filename, offer.size, offer.method, now, now),
    )
    upload = by_content(connection, content)
    if upload is None:
        raise StorageError("The store does not keep what it is given.")
    held_before = file_references.has_held(connection, upload.id, who.principal)
    file_references.add(connection, now, upload.id, who)
    if upload.upload_status == "completed":
        return Known(upload=upload, held_before=held_before)
    return _waited_for(connection, now, upload, by) or _taken(connection, now, upload, offer, by)


def _waited_for(
    connection: "Connection", now: float, upload: ProviderUpload, by: str
) -> Busy | None:
    """Nobody waits for a claim of its own: what held it was killed."""
    until = connection.execute(
        "SELECT lease_until FROM provider_file_uploads"
        " WHERE id = ? AND upload_status = 'pending' AND lease_until > ? AND claimed_by <> ?",
        (upload.id, now, by),
    ).fetchone()
    return Busy(wait_s=until[0] - now) if until else None


def _taken(
    connection: "Connection", now: float, upload: ProviderUpload, offer: Offer, by: str
) -> Claim:
    """With the row as the last claimant has left it."""
    asked = {
        "id": upload.id,
        "by": by,
        "now": now,
        "until": now + LEASE_S,
        "filename": offer.filename,
        "size": offer.size,
        "method": offer.method,
    }
    ((fence,),) = connection.execute(_TAKE, asked).fetchall()
    (rivals,) = connection.execute(
        _RIVALS, (upload.provider, upload.account, offer.size, upload.id)
    ).fetchone()
    return Claim(upload=upload, fence=fence, rivals=rivals)


def renew(connection: "Connection", now: float, held: Claim) -> bool:
    asked = {"id": held.upload.id, "fence": held.fence, "until": now + LEASE_S, "now": now}
    return connection.execute(_RENEW, asked).rowcount == 1


def note_object(connection: "Connection", now: float, held: Claim, file_id: str) -> bool:
    asked = {"id": held.upload.id, "fence": held.fence, "file": file_id, "now": now}
    return connection.execute(_NOTE_OBJECT, asked).rowcount == 1


def finish(
    connection: "Connection", now: float, held: Claim, provider_file_id: str, filename: str
) -> ProviderUpload | None:
    upload = by_id(connection, held.upload.id)
    if upload is not None and upload.provider_file_id == provider_file_id:
        return upload  # somebody has found our file, and noted it
    row = upload or held.upload
    if deletion_queue.is_being_deleted(connection, row, provider_file_id):
        fail(connection, now, held, "deleted meanwhile")
        connection.execute(
            "UPDATE provider_file_uploads SET began_at = NULL WHERE id = ? AND fence = ?",
            (held.upload.id, held.fence),
        )
        return None
    asked = {"id": held.upload.id, "fence": held.fence, "now": now}
    named = {"file": provider_file_id, "filename": filename}
    if connection.execute(_FINISH, asked | named).rowcount == 0:
        deletion_queue.add(connection, now, row, provider_file_id, "uploaded too late")
        return None
    deletion_queue.withdraw(connection, row, provider_file_id)
    return by_id(connection, held.upload.id)


def fail(connection: "Connection", now: float, held: Claim, error: str) -> None:
    """What has begun stays begun: the provider may have it although it said nothing."""
    asked = {"id": held.upload.id, "fence": held.fence, "error": error, "now": now}
    connection.execute(_FAIL, asked)


def note_gone(connection: "Connection", upload_id: str, provider_file_id: str) -> None:
    connection.execute(
        "UPDATE provider_file_uploads SET upload_status = 'deleted', provider_file_id = ''"
        " WHERE id = ? AND provider_file_id = ?",
        (upload_id, provider_file_id),
    )
