"""The statements of the SQLite store: each function is one piece of work inside an open transaction.

Their faults are `sqlite`'s.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exai_trio.errors import StorageError
from exai_trio.storage.base import SWEEP_GRACE_S, Conversation, Step, Turn

if TYPE_CHECKING:  # one module imports it
    import sqlite3

Row = tuple[
    Any, ...
]  # a turn's or step's fields in order; what is not text or a number is JSON text

Own = tuple[str, str]
"""A principal and the id of a conversation of theirs."""

ANOTHERS: Final = "This conversation belongs to somebody else."
LIVING: Final = "SELECT 1 FROM conversations WHERE id = ? AND principal = ? AND expires_at > ?"
# When a clock was last trusted; in a file of an older EXAI, the newest of all rows.
_NEWEST: Final = """
    SELECT coalesce((SELECT trusted_at FROM clock), (SELECT max(at) FROM (
        SELECT max(at) AS at FROM turns UNION ALL SELECT max(at) FROM steps
        UNION ALL SELECT max(created_at) FROM conversations UNION ALL SELECT max(last_used) FROM provider_file_uploads
        UNION ALL SELECT max(at) FROM journal_calls UNION ALL SELECT max(at) FROM journal_outcomes
    )))
"""


def load(
    connection: "sqlite3.Connection", principal: str, continuation_id: str, now: float
) -> Conversation | None:
    found = connection.execute(
        "SELECT created_at, expires_at FROM conversations WHERE id = ? AND principal = ? AND expires_at > ?",
        (continuation_id, principal, now),
    ).fetchone()
    if found is None:
        return None
    rows = connection.execute(
        "SELECT role, text, tool, model, provider, at, extra, key FROM turns"
        " WHERE conversation = ? ORDER BY number",
        (continuation_id,),
    )
    turns = tuple(_turn(row) for row in rows)
    return Conversation(id=continuation_id, created_at=found[0], expires_at=found[1], turns=turns)


def row(turn: Turn) -> Row:
    """The turn as plain values. Refused here, in its own task, it cannot disturb the writer."""
    try:
        turn.text.encode()
    except ValueError as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
    extra = as_json(turn.extra)
    return (turn.role, turn.text, turn.tool, turn.model, turn.provider, turn.at, extra, turn.key)


def as_json(data: Mapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(data).decode()
    except (ValueError, TypeError) as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault


def _turn(row: Row) -> Turn:
    role, text, tool, model, provider, at, extra, key = row
    return Turn(
        role=role,
        text=text,
        tool=tool,
        model=model,
        provider=provider,
        at=at,
        extra=_data(extra),
        key=key,
    )


def append(
    connection: "sqlite3.Connection",
    own: Own,
    rows: list[Row],
    now: float,
    expires_at: float,
) -> int:
    continuation_id = own[1]
    fresh = [row for row in rows if not _is_kept(connection, "turns", row)]
    if fresh or not rows:
        _prolong(connection, own, now, expires_at)
    (count,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM turns WHERE conversation = ?", (continuation_id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO turns (conversation, number, role, text, tool, model, provider, at, extra, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((continuation_id, number, *row) for number, row in enumerate(fresh, start=count + 1)),
    )
    return int(count) + len(fresh)


def _is_kept(connection: "sqlite3.Connection", table: str, row: Row) -> bool:
    """By its key, which stands last in the row."""
    statement = f"SELECT 1 FROM {table} WHERE key = ? AND key <> ''"  # noqa: S608 - our own words
    return connection.execute(statement, row[-1:]).fetchone() is not None


def kept_under(
    connection: "sqlite3.Connection", principal: str, keys: tuple[str, ...], now: float
) -> str | None:
    places = ", ".join("?" * len(keys))
    found = connection.execute(
        f"SELECT k.conversation FROM (SELECT conversation FROM turns WHERE key <> '' AND key IN ({places})"  # noqa: S608 - our own words
        f" UNION ALL SELECT conversation FROM steps WHERE key <> '' AND key IN ({places})) AS k"
        " JOIN conversations c ON c.id = k.conversation WHERE c.principal = ? AND c.expires_at > ?",
        (*keys, *keys, principal, now),
    ).fetchone()
    return found[0] if found else None


def _prolong(
    connection: "sqlite3.Connection",
    own: Own,
    now: float,
    expires_at: float,
) -> None:
    """The conversation is there, and ends at `expires_at`."""
    principal, continuation_id = own
    done = connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at, principal) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, marked_at = NULL"
        " WHERE principal = excluded.principal",
        (continuation_id, now, expires_at, principal),
    )
    if done.rowcount == 0:
        raise StorageError(ANOTHERS)


def present_steps(
    connection: "sqlite3.Connection", principal: str, continuation_id: str, now: float
) -> tuple[Step, ...]:
    if connection.execute(LIVING, (continuation_id, principal, now)).fetchone() is None:
        return ()
    return all_steps(connection, continuation_id)


def all_steps(connection: "sqlite3.Connection", continuation_id: str) -> tuple[Step, ...]:
    rows = connection.execute(
        "SELECT tool, at, data, key FROM steps WHERE conversation = ? ORDER BY number",
        (continuation_id,),
    )
    return tuple(Step(tool=tool, at=at, data=_data(data), key=key) for tool, at, data, key in rows)


def step_row(step: Step) -> Row:
    return (step.tool, step.at, as_json(step.data), step.key)


def add_step(
    connection: "sqlite3.Connection",
    own: Own,
    row: Row,
    now: float,
    expires_at: float,
) -> None:
    continuation_id = own[1]
    _prolong(connection, own, now, expires_at)
    if not _is_kept(connection, "steps", row):
        connection.execute(
            "INSERT INTO steps (conversation, number, tool, at, data, key) SELECT"
            " ?, coalesce(max(number), 0) + 1, ?, ?, ?, ? FROM steps WHERE conversation = ?",
            (continuation_id, *row, continuation_id),
        )


def _data(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def sweep(connection: "sqlite3.Connection", now: float) -> int:
    # A mark in the future is of a clock that was ahead.
    connection.execute(
        "UPDATE conversations SET marked_at = NULL WHERE marked_at > ?1 OR (marked_at <= ?1 AND expires_at > ?1)",
        (now,),
    )
    gone = connection.execute(
        "DELETE FROM conversations WHERE marked_at <= ?", (now - SWEEP_GRACE_S,)
    ).rowcount
    connection.execute(
        "UPDATE conversations SET marked_at = ?1 WHERE expires_at <= ?1 AND marked_at IS NULL",
        (now,),
    )
    return gone


def newest_at(connection: "sqlite3.Connection") -> float | None:
    (at,) = connection.execute(_NEWEST).fetchone()
    return None if at is None else float(at)


def note_time(connection: "sqlite3.Connection", now: float) -> None:
    connection.execute(
        "INSERT INTO clock (id, trusted_at) VALUES (1, ?1)"
        " ON CONFLICT (id) DO UPDATE SET trusted_at = excluded.trusted_at",
        (now,),
    )
