"""Conversations in the SQLite file as a person looks after them.

Turns are added elsewhere.
"""

from typing import TYPE_CHECKING, Final

import attrs

from exai_trio import structs
from exai_trio.storage.base import Summary
from exai_trio.storage.sqlite.statements import LIVING

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_IS_NAMED: Final = "n.name = ?"
_COPIES: Final = (
    (
        "INSERT INTO conversations (id, created_at, expires_at, principal)"
        " VALUES (:new, :now, :end, :principal)"
    ),
    (  # without their keys, which name the originals
        "INSERT INTO turns (conversation, number, role, text, tool, model, provider, at, extra)"
        " SELECT :new, number, role, text, tool, model, provider, at, extra"
        " FROM turns WHERE conversation = :old"
    ),
    (
        "INSERT INTO steps (conversation, number, tool, at, data)"
        " SELECT :new, number, tool, at, data FROM steps WHERE conversation = :old"
    ),
)
_COLUMNS: Final = tuple(field.name for field in attrs.fields(Summary))
# Of all of them only the time is read, the rest of those that are wanted.
_NEWEST_FIRST: Final = """
    WITH newest AS (
        SELECT c.id, c.created_at, c.expires_at, max(c.created_at, c.last_at) AS last_at
        FROM conversations c WHERE c.principal = ? AND c.expires_at > ? ORDER BY last_at DESC, c.id LIMIT ?
    )
    SELECT c.id, coalesce(n.name, ''), c.created_at, c.expires_at,
        (SELECT count(*) FROM turns t WHERE t.conversation = c.id),
        coalesce(
            (SELECT tool FROM turns t WHERE t.conversation = c.id ORDER BY number DESC LIMIT 1),
            (SELECT tool FROM steps s WHERE s.conversation = c.id ORDER BY number DESC LIMIT 1), ''),
        coalesce((SELECT model FROM turns t WHERE t.conversation = c.id AND model <> ''
            ORDER BY number DESC LIMIT 1), ''),
        coalesce((SELECT substr(text, 1, 200) FROM turns t WHERE t.conversation = c.id
            AND role = 'user' ORDER BY number LIMIT 1), ''),
        c.last_at
    FROM newest c LEFT JOIN thread_names n ON n.conversation = c.id ORDER BY c.last_at DESC, c.id
"""


@structs.frozen
class SqliteThreads:
    """Threads of the principal of an open store, in its file."""

    _store: "SqliteStore"

    def of(self, principal: str) -> "SqliteThreads":
        return SqliteThreads(self._store.of(principal))

    @property
    def _principal(self) -> str:
        return self._store.principal

    async def recent(self, now: float, most: int | None = None) -> tuple[Summary, ...]:
        values = (self._principal, now, -1 if most is None else most)
        return await self._store.read(lambda connection: _recent(connection, values))

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        whose = (self._principal, now)
        return await self._store.read(lambda connection: _find(connection, wanted, whose))

    async def named(self, name: str, now: float) -> str | None:
        whose = (self._principal, now)
        return await self._store.read(
            lambda connection: next(iter(_where(connection, _IS_NAMED, (name,), whose)), None)
        )

    async def name(self, continuation_id: str, name: str, now: float) -> bool:
        whose = (self._principal, now)
        return await self._store.write(
            lambda connection: set_name(connection, continuation_id, name, whose)
        )

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> bool:
        whose = (self._principal, now)
        return await self._store.write(
            lambda connection: copy(connection, (continuation_id, new_id), whose, expires_at)
        )

    async def delete(self, continuation_id: str, now: float) -> bool:
        whose = (self._principal, now)
        return await self._store.write(
            lambda connection: remove(connection, continuation_id, whose)
        )


Whose = tuple[str, float]
"""A principal, and the time at which it is still to be there."""


def _recent(
    connection: "sqlite3.Connection", values: tuple[str, float, int]
) -> tuple[Summary, ...]:
    rows = connection.execute(_NEWEST_FIRST, values)
    return tuple(Summary(**dict(zip(_COLUMNS, row, strict=True))) for row in rows)


def _find(connection: "sqlite3.Connection", wanted: str, whose: Whose) -> tuple[str, ...]:
    return (
        _where(connection, "c.id = ?", (wanted,), whose)
        or _where(connection, _IS_NAMED, (wanted,), whose)
        or _where(connection, "substr(c.id, 1, ?) = ?", (len(wanted), wanted), whose)
    )


def _where(
    connection: "sqlite3.Connection", condition: str, values: tuple[str | int, ...], whose: Whose
) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT c.id FROM conversations c LEFT JOIN thread_names n ON n.conversation = c.id"  # noqa: S608 - our own words
        f" WHERE {condition} AND c.principal = ? AND c.expires_at > ? ORDER BY c.id",
        (*values, *whose),
    )
    return tuple(row[0] for row in rows)


def set_name(
    connection: "sqlite3.Connection", continuation_id: str, name: str, whose: Whose
) -> bool:
    """Not if it is not there, or another of theirs is called so."""
    if not _is_there(connection, continuation_id, whose):
        return False
    principal, now = whose
    holder = connection.execute(
        "SELECT conversation, expires_at FROM thread_names n JOIN conversations c"
        " ON c.id = n.conversation WHERE name = ? AND n.principal = ? AND conversation <> ?",
        (name, principal, continuation_id),
    ).fetchone()
    if holder and holder[1] > now:
        return False
    # An expired one that the sweep has not met yet holds no name any more.
    stale = holder[0] if holder else continuation_id
    connection.execute(
        "DELETE FROM thread_names WHERE conversation IN (?, ?)", (continuation_id, stale)
    )
    if name:
        connection.execute(
            "INSERT INTO thread_names (conversation, name, principal) VALUES (?, ?, ?)",
            (continuation_id, name, principal),
        )
    return True


def _is_there(connection: "sqlite3.Connection", continuation_id: object, whose: Whose) -> bool:
    return connection.execute(LIVING, (continuation_id, *whose)).fetchone() is not None


def copy(
    connection: "sqlite3.Connection", old_and_new: tuple[str, str], whose: Whose, expires_at: float
) -> bool:
    """Whether there was something to copy."""
    old, new = old_and_new
    principal, now = whose
    if not _is_there(connection, old, whose):
        return False
    values = {"old": old, "new": new, "now": now, "end": expires_at, "principal": principal}
    for statement in _COPIES:
        connection.execute(statement, values)
    return True


def remove(connection: "sqlite3.Connection", continuation_id: str, whose: Whose) -> bool:
    """Whether it was there."""
    known = _is_there(connection, continuation_id, whose)
    connection.execute(
        "DELETE FROM conversations WHERE id = ? AND principal = ?", (continuation_id, whose[0])
    )
    return known
