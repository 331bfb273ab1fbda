"""The audit of what cleaning up has changed, in the SQLite file."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from exai_trio.storage.contracts.cleanup_records import AuditEntry, Change

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection


def note(connection: "Connection", now: float, stage: str, changes: Iterable[Change]) -> None:
    connection.executemany(
        "INSERT INTO audit_log (at, stage, subject, why, bytes) VALUES (?, ?, ?, ?, ?)",
        ((now, stage, change.subject, change.why, change.bytes) for change in changes),
    )


def newest(connection: "Connection", most: int) -> tuple[AuditEntry, ...]:
    rows = connection.execute(
        "SELECT at, stage, subject, why, bytes FROM audit_log ORDER BY id DESC LIMIT ?", (most,)
    )
    return tuple(
        AuditEntry(at=at, stage=stage, change=Change(subject=subject, why=why, bytes=size))
        for at, stage, subject, why, size in rows
    )
