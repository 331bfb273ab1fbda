"""The list of conversations in the SQLite file, newest first, without reading their turns."""

from typing import TYPE_CHECKING

from exai_trio.storage.base import Thread

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection


def recent(connection: "Connection", now: float, most: int) -> tuple[Thread, ...]:
    rows = connection.execute(
        "SELECT c.id, coalesce((SELECT substr(text, 1, 200) FROM turns WHERE conversation = c.id AND role = 'user'"
        " ORDER BY number LIMIT 1), ''), last.number, last.at FROM conversations AS c"
        " JOIN turns AS last ON last.conversation = c.id AND last.number ="
        " (SELECT max(number) FROM turns WHERE conversation = c.id)"
        " WHERE c.expires_at > ? ORDER BY last.at DESC, c.id LIMIT ?",
        (now, most),
    )
    return tuple(
        Thread(id=id_, opening=opening, turns=turns, last_at=at) for id_, opening, turns, at in rows
    )
