"""The conversations' tables in the SQLite file. The file, its writer and its faults are `sqlite`'s."""

from typing import TYPE_CHECKING, Any

import msgspec

from exai_trio.errors import StorageError
from exai_trio.storage.base import Conversation, Turn

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

Row = tuple[Any, ...]  # a turn: role, text, tool, model, provider, at, extra as JSON text


def load(connection: "Connection", continuation_id: str, now: float) -> Conversation | None:
    found = connection.execute(
        "SELECT created_at, expires_at FROM conversations WHERE id = ? AND expires_at > ?",
        (continuation_id, now),
    ).fetchone()
    if found is None:
        return None
    rows = connection.execute(
        "SELECT role, text, tool, model, provider, at, extra FROM turns"
        " WHERE conversation = ? ORDER BY number",
        (continuation_id,),
    )
    turns = tuple(_turn(row) for row in rows)
    return Conversation(id=continuation_id, created_at=found[0], expires_at=found[1], turns=turns)


def row_of(turn: Turn) -> Row:
    """The turn as plain values. Refused here, in its own task, it cannot disturb the writer."""
    try:
        turn.text.encode()
        extra = msgspec.json.encode(turn.extra).decode()
    except (ValueError, TypeError) as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
    return (turn.role, turn.text, turn.tool, turn.model, turn.provider, turn.at, extra)


def _turn(row: Row) -> Turn:
    role, text, tool, model, provider, at, extra = row
    return Turn(
        role=role,
        text=text,
        tool=tool,
        model=model,
        provider=provider,
        at=at,
        extra=msgspec.json.decode(extra, type=dict[str, Any]),
    )


def append(
    connection: "Connection",
    continuation_id: str,
    rows: list[Row],
    now: float,
    expires_at: float,
) -> int:
    # An expired thread that the sweep has not met yet is gone for its readers, so it must not come back here.
    connection.execute(
        "DELETE FROM conversations WHERE id = ? AND expires_at <= ?", (continuation_id, now)
    )
    connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        (continuation_id, now, expires_at),
    )
    (count,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM turns WHERE conversation = ?", (continuation_id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO turns (conversation, number, role, text, tool, model, provider, at, extra)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((continuation_id, number, *row) for number, row in enumerate(rows, start=count + 1)),
    )
    return int(count) + len(rows)


def sweep(connection: "Connection", now: float) -> int:
    return connection.execute("DELETE FROM conversations WHERE expires_at <= ?", (now,)).rowcount
