"""Conversations as a person looks after them: listed, named, copied, deleted. Turns are added elsewhere."""

from typing import TYPE_CHECKING

import attrs

from exai_trio.storage.base import Conversation

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite import SqliteStore

_COPIES = (
    "INSERT INTO conversations (id, created_at, expires_at) VALUES (:new, :now, :end)",
    (
        "INSERT INTO turns SELECT :new, number, role, text, tool, model, provider, at, extra"
        " FROM turns WHERE conversation = :old"
    ),
    "INSERT INTO steps SELECT :new, number, tool, at, data FROM steps WHERE conversation = :old",
)


@attrs.frozen(kw_only=True)
class Summary:
    """A conversation at a glance. Times are unix seconds; `opening` is its first question; `name` may be ""."""

    id: str
    name: str
    created_at: float
    expires_at: float
    turns: int
    tool: str
    model: str
    opening: str


@attrs.frozen
class Threads:
    """The conversations of an open store that have not expired. Raises and cancels as a ConversationStore does."""

    _store: "SqliteStore"

    async def all(self, now: float) -> tuple[Summary, ...]:
        """Newest answer last."""
        return await self._store.read(lambda connection: _all(connection, now))

    async def find(self, wanted: str, now: float) -> tuple[str, ...]:
        """The ids that it may mean: the one so named or with that id, else those that begin with it."""
        return await self._store.read(lambda connection: _find(connection, wanted, now))

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        return await self._store.load(continuation_id, now)

    async def name(self, continuation_id: str, name: str) -> bool:
        """Name it, or take its name away with "". False if another one has that name."""
        return await self._store.write(lambda connection: _name(connection, continuation_id, name))

    async def fork(self, continuation_id: str, new_id: str, now: float, expires_at: float) -> None:
        """A copy of all turns and workflow steps under a new id; the two go on apart."""
        values: dict[str, str | float] = {
            "old": continuation_id,
            "new": new_id,
            "now": now,
            "end": expires_at,
        }
        await self._store.write(lambda connection: _fork(connection, values))

    async def delete(self, continuation_id: str) -> bool:
        return await self._store.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM conversations WHERE id = ?", (continuation_id,)
                ).rowcount
                > 0
            )
        )


def _all(connection: "sqlite3.Connection", now: float) -> tuple[Summary, ...]:
    rows = connection.execute(
        "SELECT c.id, coalesce(n.name, ''), c.created_at, c.expires_at,"
        " (SELECT count(*) FROM turns t WHERE t.conversation = c.id),"
        " coalesce((SELECT tool FROM turns t WHERE t.conversation = c.id ORDER BY number DESC LIMIT 1), ''),"
        " coalesce((SELECT model FROM turns t WHERE t.conversation = c.id AND model <> ''"
        "  ORDER BY number DESC LIMIT 1), ''),"
        " coalesce((SELECT substr(text, 1, 200) FROM turns t WHERE t.conversation = c.id"
        "  ORDER BY number LIMIT 1), '')"
        " FROM conversations c LEFT JOIN thread_names n ON n.conversation = c.id WHERE c.expires_at > ?"
        " ORDER BY c.expires_at, c.created_at",
        (now,),
    )
    names = [field.name for field in attrs.fields(Summary)]
    return tuple(Summary(**dict(zip(names, row, strict=True))) for row in rows)


def _find(connection: "sqlite3.Connection", wanted: str, now: float) -> tuple[str, ...]:
    exact = connection.execute(
        "SELECT c.id FROM conversations c LEFT JOIN thread_names n ON n.conversation = c.id"
        " WHERE (c.id = ? OR n.name = ?) AND c.expires_at > ?",
        (wanted, wanted, now),
    ).fetchall()
    found = exact or connection.execute(
        "SELECT id FROM conversations WHERE substr(id, 1, ?) = ? AND expires_at > ? ORDER BY id",
        (len(wanted), wanted, now),
    )
    return tuple(row[0] for row in found)


def _name(connection: "sqlite3.Connection", continuation_id: str, name: str) -> bool:
    taken = connection.execute(
        "SELECT 1 FROM thread_names WHERE name = ? AND conversation <> ?", (name, continuation_id)
    ).fetchone()
    if taken:
        return False
    connection.execute("DELETE FROM thread_names WHERE conversation = ?", (continuation_id,))
    if name:
        connection.execute(
            "INSERT INTO thread_names (conversation, name) VALUES (?, ?)", (continuation_id, name)
        )
    return True


def _fork(connection: "sqlite3.Connection", values: dict[str, str | float]) -> None:
    for statement in _COPIES:
        connection.execute(statement, values)
