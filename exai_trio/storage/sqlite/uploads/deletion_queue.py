"""Files that are to be deleted at their providers: each function is one piece of work in an open transaction."""

from typing import TYPE_CHECKING, Final

from exai_trio.storage.contracts.cleanup_records import Account, Change, DeletionJob
from exai_trio.storage.contracts.provider_uploads import ProviderUpload
from exai_trio.storage.sqlite.uploads.audit_rows import note

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

CLAIM_S: Final = 60.0
TRIES: Final = 10
_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 6 * 3600.0

# Unless another upload has that very file: some services give one id for one content.
_ADD: Final = """
    INSERT OR IGNORE INTO file_deletion_jobs (upload, provider, account, provider_file_id, sha256, size, reason, due)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (
        SELECT 1 FROM provider_file_uploads WHERE provider = ?2 AND account = ?3 AND provider_file_id = ?4 AND id <> ?1
    )
"""
_DUE: Final = """
    SELECT id FROM file_deletion_jobs
    WHERE provider = ? AND account = ? AND due <= ? AND claimed_until <= ? AND reported_at IS NULL ORDER BY due LIMIT ?
"""
_TAKE: Final = """
    UPDATE file_deletion_jobs SET fence = fence + 1, claimed_until = ? WHERE id = ?
    RETURNING id, provider, account, provider_file_id, sha256, size, reason, attempts, fence
"""


def add(
    connection: "Connection", now: float, upload: ProviderUpload, file_id: str, reason: str
) -> None:
    named = (upload.id, upload.provider, upload.account, file_id)
    connection.execute(_ADD, (*named, upload.sha256, upload.file_size_bytes, reason, now))


def is_being_deleted(connection: "Connection", upload: ProviderUpload, file_id: str) -> bool:
    """Somebody has begun to, and nobody knows how far that came."""
    begun = "SELECT 1 FROM file_deletion_jobs WHERE provider = ? AND account = ? AND provider_file_id = ? AND fence > 0"
    key = (upload.provider, upload.account, file_id)
    return connection.execute(begun, key).fetchone() is not None


def withdraw(connection: "Connection", upload: ProviderUpload, file_id: str) -> None:
    """It is wanted again before anybody has begun to delete it."""
    connection.execute(
        "DELETE FROM file_deletion_jobs WHERE provider = ? AND account = ? AND provider_file_id = ? AND fence = 0",
        (upload.provider, upload.account, file_id),
    )


def claim_jobs(
    connection: "Connection", now: float, accounts: tuple[Account, ...], most: int
) -> tuple[DeletionJob, ...]:
    jobs: list[DeletionJob] = []
    for each in accounts:
        due = (each.provider, each.account, now, now, most - len(jobs))
        found = connection.execute(_DUE, due).fetchall()
        jobs.extend(take(connection, now, job_id) for (job_id,) in found)
    return tuple(jobs)


def take(connection: "Connection", now: float, job_id: int) -> DeletionJob:
    ((job, provider, account, file_id, sha256, size, reason, attempts, fence),) = (
        connection.execute(_TAKE, (now + CLAIM_S, job_id)).fetchall()
    )
    return DeletionJob(
        id=job,
        provider=provider,
        account=account,
        provider_file_id=file_id,
        sha256=sha256,
        size=size,
        reason=reason,
        attempts=attempts,
        fence=fence,
    )


def take_file(
    connection: "Connection", now: float, upload: ProviderUpload, reason: str
) -> DeletionJob:
    """The job of the upload's file, for the asker at once."""
    add(connection, now, upload, upload.provider_file_id, reason)
    key = (upload.provider, upload.account, upload.provider_file_id)
    (job_id,) = connection.execute(
        "SELECT id FROM file_deletion_jobs WHERE provider = ? AND account = ? AND provider_file_id = ?",
        key,
    ).fetchone()
    return take(connection, now, job_id)


def finish_job(connection: "Connection", now: float, job: DeletionJob) -> bool:
    done = connection.execute(
        "DELETE FROM file_deletion_jobs WHERE id = ? AND fence = ?", (job.id, job.fence)
    )
    if done.rowcount:
        change = Change(subject=_subject(job), why=job.reason, bytes=job.size)
        note(connection, now, "delete", (change,))
    return done.rowcount == 1


def fail_job(connection: "Connection", now: float, job: DeletionJob, error: str) -> bool:
    attempts = job.attempts + 1
    last = attempts >= TRIES
    wait_s = min(_FIRST_WAIT_S * 2.0**job.attempts, _LONGEST_WAIT_S)
    done = connection.execute(
        "UPDATE file_deletion_jobs SET attempts = ?, due = ?, claimed_until = 0, error = ?, reported_at = ?"
        " WHERE id = ? AND fence = ?",
        (attempts, now + wait_s, error, now if last else None, job.id, job.fence),
    )
    if done.rowcount and last:
        change = Change(subject=_subject(job), why=f"not deleted after {attempts} tries: {error}")
        note(connection, now, "delete", (change,))
    return last and done.rowcount == 1


def _subject(job: DeletionJob) -> str:
    return f"{job.provider}:{job.provider_file_id}"
