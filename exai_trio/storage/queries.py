"""The statements of the SQLite store: each function is one piece of work inside an open transaction. Their faults are `sqlite`'s."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from exai_trio.errors import StorageError
from exai_trio.storage.base import Conversation, Step, Turn

if TYPE_CHECKING:  # one module imports it
    import sqlite3

Row = tuple[
    Any, ...
]  # a turn's or step's fields in order; what is not text or a number is JSON text


def load(connection: "sqlite3.Connection", continuation_id: str, now: float) -> Conversation | None:
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


def row(turn: Turn) -> Row:
    """The turn as plain values. Refused here, in its own task, it cannot disturb the writer."""
    try:
        turn.text.encode()
    except ValueError as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault
    extra = as_json(turn.extra)
    return (turn.role, turn.text, turn.tool, turn.model, turn.provider, turn.at, extra)


def as_json(data: Mapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(data).decode()
    except (ValueError, TypeError) as fault:
        raise StorageError(f"The store cannot hold this: {fault}") from fault


def _turn(row: Row) -> Turn:
    role, text, tool, model, provider, at, extra = row
    return Turn(
        role=role,
        text=text,
        tool=tool,
        model=model,
        provider=provider,
        at=at,
        extra=_data(extra),
    )


def append(
    connection: "sqlite3.Connection",
    continuation_id: str,
    rows: list[Row],
    now: float,
    expires_at: float,
) -> int:
    _prolong(connection, continuation_id, now, expires_at)
    (count,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM turns WHERE conversation = ?", (continuation_id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO turns (conversation, number, role, text, tool, model, provider, at, extra)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((continuation_id, number, *row) for number, row in enumerate(rows, start=count + 1)),
    )
    return int(count) + len(rows)


def _prolong(
    connection: "sqlite3.Connection", continuation_id: str, now: float, expires_at: float
) -> None:
    """The conversation is there, and ends at `expires_at`."""
    # An expired thread that the sweep has not met yet is gone for its readers, so it must not come back here.
    connection.execute(
        "DELETE FROM conversations WHERE id = ? AND expires_at <= ?", (continuation_id, now)
    )
    connection.execute(
        "INSERT INTO conversations (id, created_at, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        (continuation_id, now, expires_at),
    )


def living_steps(
    connection: "sqlite3.Connection", continuation_id: str, now: float
) -> tuple[Step, ...]:
    alive = "SELECT 1 FROM conversations WHERE id = ? AND expires_at > ?"
    if connection.execute(alive, (continuation_id, now)).fetchone() is None:
        return ()
    return _steps(connection, continuation_id)


def _steps(connection: "sqlite3.Connection", continuation_id: str) -> tuple[Step, ...]:
    rows = connection.execute(
        "SELECT tool, at, data FROM steps WHERE conversation = ? ORDER BY number",
        (continuation_id,),
    )
    return tuple(Step(tool=tool, at=at, data=_data(data)) for tool, at, data in rows)


def step_row(step: Step) -> Row:
    return (step.tool, step.at, as_json(step.data))


def add_step(
    connection: "sqlite3.Connection",
    continuation_id: str,
    row: Row,
    now: float,
    expires_at: float,
) -> tuple[Step, ...]:
    _prolong(connection, continuation_id, now, expires_at)
    connection.execute(
        "INSERT INTO steps (conversation, number, tool, at, data) SELECT"
        " ?, coalesce(max(number), 0) + 1, ?, ?, ? FROM steps WHERE conversation = ?",
        (continuation_id, *row, continuation_id),
    )
    return _steps(connection, continuation_id)


def _data(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def sweep(connection: "sqlite3.Connection", now: float) -> int:
    return connection.execute("DELETE FROM conversations WHERE expires_at <= ?", (now,)).rowcount
