"""What each step of cleaning up looks for and changes, as statements, and how one is carried out.

A step looks at a page of rows beside the writer, and changes what it found in one transaction, in which each is looked at again.
Named in the conditions: `:time` is the database's, `:now` the clock by which conversations expire.
"""

from typing import TYPE_CHECKING, Any, Final

from exai_trio import structs
from exai_trio.storage.contracts.cleanup_records import STEPS, Bounds, Change
from exai_trio.storage.sqlite.uploads.audit_rows import note

if TYPE_CHECKING:  # one module imports it
    from sqlite3 import Connection

PAGE: Final = 2_000  # rows that a step looks at
MOST_CASCADING: Final = 50  # a conversation takes its turns along
_CALL_S, _HELD_S = 86_400.0, 30 * 86_400.0


@structs.frozen(kw_only=True)
class Step:
    """Rows of `table` that meet `condition`; `change` is done for the `:key` of each that still does. `subject` and `size` are
    expressions, `why` is one too."""

    table: str
    subject: str
    why: str
    condition: str
    change: tuple[str, ...]
    size: str = "0"
    most: int = 200


_OWNER_GONE: Final = """
    owner LIKE 'call:%' AND used_at <= :time - :call_s
    OR owner LIKE 'held:%' AND used_at <= :time - :held_s
    OR owner LIKE 'conversation:%'
        AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = substr(t.owner, 14)
            AND (c.marked_at IS NULL OR c.marked_at > :now - :grace))
        AND NOT EXISTS (SELECT 1 FROM file_references r WHERE r.upload = t.upload AND r.principal = t.principal
            AND r.owner LIKE 'call:%' AND r.ended_at IS NULL)
"""
_UNUSED: Final = """
    upload_status <> 'deleted' AND last_used <= :time - :grace AND lease_until <= :time
    AND NOT EXISTS (SELECT 1 FROM file_references r WHERE r.upload = t.id AND r.ended_at IS NULL)
"""

SQL: Final[dict[str, Step]] = {
    "expire_conversations": Step(
        table="conversations",
        subject="'conversation:' || id",
        why="'expired'",
        condition="expires_at <= :now AND marked_at IS NULL",
        change=("UPDATE conversations SET marked_at = :now WHERE rowid = :key",),
    ),
    "release_references": Step(
        table="file_references",
        subject="owner || ' of ' || upload",
        why="CASE WHEN owner LIKE 'call:%' THEN 'its call ended' WHEN owner LIKE 'held:%' THEN 'unused for 30 days'"
        " ELSE 'its conversation is gone' END",
        condition=f"ended_at IS NULL AND ({_OWNER_GONE})",
        change=("UPDATE file_references SET ended_at = :time WHERE rowid = :key",),
    ),
    "condemn_uploads": Step(
        table="provider_file_uploads",
        subject="provider || ':' || provider_file_id",
        why="'unused, and nobody refers to it'",
        condition=_UNUSED,
        size="file_size_bytes",
        change=(
            """
            INSERT OR IGNORE INTO file_deletion_jobs (upload, provider, account, provider_file_id, sha256, size, reason, due)
            SELECT id, provider, account, provider_file_id, sha256, file_size_bytes, 'unused', :time
            FROM provider_file_uploads t WHERE rowid = :key AND provider_file_id <> '' AND provider <> 'storage' AND NOT is_hosted
                AND NOT EXISTS (SELECT 1 FROM provider_file_uploads o WHERE o.provider = t.provider
                    AND o.account = t.account AND o.provider_file_id = t.provider_file_id AND o.id <> t.id)
            """,
            "UPDATE provider_file_uploads SET provider_file_id = '', upload_status = 'deleted' WHERE rowid = :key",
        ),
    ),
    "purge_uploads": Step(
        table="provider_file_uploads",
        subject="'upload:' || id",
        why="'deleted everywhere'",
        condition="upload_status = 'deleted' AND reference_count = 0 AND file_id = '' AND last_used <= :time - :grace"
        " AND NOT EXISTS (SELECT 1 FROM file_deletion_jobs j WHERE j.upload = t.id)",
        change=("DELETE FROM provider_file_uploads WHERE rowid = :key",),
    ),
    "purge_conversations": Step(
        table="conversations",
        subject="'conversation:' || id",
        why="'expired, and past the grace'",
        condition="marked_at <= :now - :grace AND expires_at <= :now",
        change=("DELETE FROM conversations WHERE rowid = :key",),
        most=MOST_CASCADING,
    ),
    "purge_audit": Step(
        table="audit_log",
        subject="'audit:' || id",
        why="'old'",
        condition="at <= :time - :history",
        change=("DELETE FROM audit_log WHERE rowid = :key",),
    ),
}
_QUIET: Final = frozenset({"purge_audit"})  # not noted in what it empties


@structs.frozen(kw_only=True)
class Found:
    """Rows that a step may change; `next` is where the next page begins."""

    keys: tuple[int, ...]
    changes: tuple[Change, ...]
    next: int | None


def times(time: float, bounds: Bounds) -> dict[str, float]:
    return {
        "time": time,
        "now": bounds.now,
        "grace": bounds.grace_s,
        "history": bounds.history_s,
        "call_s": _CALL_S,
        "held_s": _HELD_S,
    }


def look(connection: "Connection", name: str, at: dict[str, float], after: int) -> Found:
    step = SQL[name]
    page = _words(
        "SELECT rowid FROM", step.table, "WHERE rowid > :after ORDER BY rowid LIMIT :page"
    )
    asked: dict[str, Any] = at | {"after": after, "page": PAGE, "most": step.most}
    last, looked_at = connection.execute(
        _words("SELECT max(rowid), count(*) FROM (", page, ")"), asked
    ).fetchone()
    columns = f"t.rowid, {step.subject}, {step.why}, {step.size}"
    found = _words(
        "SELECT", columns, "FROM", step.table, "t WHERE t.rowid > :after AND t.rowid <= :last AND"
    )
    rows = connection.execute(
        _words(found, "(", step.condition, ") ORDER BY t.rowid LIMIT :most"),
        asked | {"last": last or 0},
    ).fetchall()
    return Found(
        keys=tuple(row[0] for row in rows),
        changes=tuple(Change(subject=s, why=w, bytes=size) for _, s, w, size in rows),
        next=_next(rows, step.most, last, looked_at),
    )


def _words(*parts: str) -> str:
    """A statement of our own words."""
    return " ".join(parts)


def _next(rows: list[Any], most: int, last: int | None, looked_at: int) -> int | None:
    if len(rows) == most:
        return int(rows[-1][0])
    return last if looked_at == PAGE else None


def _still(step: Step) -> str:
    return _words("SELECT 1 FROM", step.table, "t WHERE t.rowid = :key AND (", step.condition, ")")


def change(
    connection: "Connection", name: str, at: dict[str, float], found: Found
) -> tuple[Change, ...]:
    """Those of them that are still as they were found."""
    step = SQL[name]
    still = _still(step)
    done: list[Change] = []
    for key, each in zip(found.keys, found.changes, strict=True):
        asked = at | {"key": key}
        if connection.execute(still, asked).fetchone() is not None:
            for statement in step.change:
                connection.execute(statement, asked)
            done.append(each)
    if name not in _QUIET:
        note(connection, at["time"], STEPS[name], done)
    return tuple(done)


def unmark(connection: "Connection", now: float) -> None:
    """Conversations that a clock ahead of ours has marked, or that have come back, are as before."""
    connection.execute(
        "UPDATE conversations SET marked_at = NULL"
        " WHERE marked_at IS NOT NULL AND (marked_at > ?1 OR expires_at > ?1)",
        (now,),
    )
