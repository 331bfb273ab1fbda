"""The outbox in the SQLite file. An entry is added in the transaction of what it tells of."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio import structs
from exai_trio.storage.hosted.outbox_entries import BATCH_BYTES, Applied, Depth, Entry
from exai_trio.storage.sqlite.mirrored import common_history

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_OLDEST: Final = "SELECT id, kind, key, body, at, attempts, refused FROM outbox WHERE refused = '' ORDER BY number LIMIT ?"
_PARKED: Final = "SELECT id, kind, key, body, at, attempts, refused FROM outbox WHERE refused <> '' ORDER BY number"
_KNOWN_THERE: Final = (
    "UPDATE provider_file_uploads SET is_hosted = 1 WHERE id = json_extract(?, '$.upload.id')"
)
_DEPTH: Final = """
    SELECT count(*) FILTER (WHERE refused = ''), coalesce(sum(length(body)) FILTER (WHERE refused = ''), 0),
        min(at) FILTER (WHERE refused = ''), count(*) FILTER (WHERE refused <> '') FROM outbox
"""


@structs.define(eq=False)
class SqliteOutbox:
    """The outbox of an open store."""

    _store: "SqliteStore"
    _woken: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])

    def watch(self, woken: Callable[[], None]) -> None:
        self._woken.append(woken)

    def tell(self, _done: object = None) -> None:
        """Something was added, and is on the disk."""
        for woken in self._woken:
            woken()

    async def batch(self, most: int) -> tuple[Entry, ...]:
        found = await self._store.read(lambda connection: _oldest(connection, most))
        return tuple(_within(found, BATCH_BYTES))

    async def settle(self, sent: tuple[Entry, ...], applied: tuple[Applied, ...]) -> None:
        by_id = {one.id: one for one in applied}
        settled = tuple((entry, by_id[entry.id]) for entry in sent if entry.id in by_id)
        await self._store.write(lambda connection: _settle(connection, settled))

    async def note_attempt(self, sent: tuple[Entry, ...]) -> None:
        ids = [(entry.id,) for entry in sent]
        await self._store.write(
            lambda connection: connection.executemany(
                "UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", ids
            )
        )

    async def depth(self) -> Depth:
        row = await self._store.read(lambda connection: connection.execute(_DEPTH).fetchone())
        return Depth(entries=row[0], size=row[1], oldest_at=row[2], parked=row[3])

    async def parked(self) -> tuple[Entry, ...]:
        """What the database refused, oldest first. Cancelling changes nothing."""
        rows = await self._store.read(lambda connection: connection.execute(_PARKED).fetchall())
        return tuple(_entry(row) for row in rows)

    async def retry(self) -> int:
        """What was refused is to be sent again. Returns how much that is. Cancelling leaves it done or not done."""
        statement = "UPDATE outbox SET refused = '', attempts = 0 WHERE refused <> ''"
        return await self._store.write(
            lambda connection: int(connection.execute(statement).rowcount), done=self.tell
        )


def add(connection: "sqlite3.Connection", entries: Iterable[Entry]) -> None:
    """One that is there already stays as it is."""
    connection.executemany(
        "INSERT INTO outbox (id, kind, key, body, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(one.id, one.kind, one.key, one.body, one.at) for one in entries],
    )


def is_deleted(connection: "sqlite3.Connection", conversation: str) -> bool:
    """The other side has not heard yet that it was deleted here."""
    query = "SELECT kind FROM outbox WHERE key = ? ORDER BY number DESC LIMIT 1"
    newest = connection.execute(query, (conversation,)).fetchone()
    return newest is not None and newest[0] == "delete"


def _oldest(connection: "sqlite3.Connection", most: int) -> list[Entry]:
    return [_entry(row) for row in connection.execute(_OLDEST, (most,))]


def _entry(row: tuple[str, str, str, str, float, int, str]) -> Entry:
    entry_id, kind, key, body, at, attempts, refused = row
    return Entry(
        id=entry_id, kind=kind, key=key, body=body, at=at, attempts=attempts, refused=refused
    )


def _within(entries: list[Entry], most: int) -> Iterable[Entry]:
    """As many as are so many bytes together, one at least."""
    size = 0
    for number, entry in enumerate(entries):
        size += len(entry.body)
        if number and size > most:
            return
        yield entry


def _settle(connection: "sqlite3.Connection", settled: tuple[tuple[Entry, Applied], ...]) -> None:
    for entry, outcome in settled:
        if outcome.code:
            connection.execute(
                "UPDATE outbox SET refused = ?, attempts = attempts + 1 WHERE id = ?",
                (outcome.code, entry.id),
            )
            continue
        connection.execute("DELETE FROM outbox WHERE id = ?", (entry.id,))
        if outcome.number is not None:
            common_history.advance(connection, entry, outcome.number)
        if entry.kind == "upload":
            connection.execute(_KNOWN_THERE, (entry.body,))
