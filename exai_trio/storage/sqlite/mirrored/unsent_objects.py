"""Contents that the buckets are still to get, as rows of the SQLite file."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from exai_trio import structs
from exai_trio.storage.hosted.object_sender import Unsent

if TYPE_CHECKING:  # one module imports sqlite3
    import sqlite3

    from exai_trio.storage.sqlite.store import SqliteStore

_ADD: Final = "INSERT INTO unsent_objects (bucket, name, size, fault) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DUE: Final = "SELECT bucket, name, size, attempts, fault FROM unsent_objects WHERE due <= ? ORDER BY attempts, number LIMIT 1"
_ALL: Final = "SELECT bucket, name, size, attempts, fault FROM unsent_objects ORDER BY number"


@structs.define(eq=False)
class SqliteUnsent:
    """Those of an open store. Raises StorageError; cancelling leaves a change done or not done."""

    _store: "SqliteStore"
    _woken: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])

    def watch(self, woken: Callable[[], None]) -> None:
        self._woken.append(woken)

    def tell(self, _done: object = None) -> None:
        """Something was added, and is on the disk."""
        for woken in self._woken:
            woken()

    async def add(self, bucket: str, name: str, size: int, fault: str) -> None:
        await self._store.write(
            lambda connection: connection.execute(_ADD, (bucket, name, size, fault)),
            done=self.tell,
        )

    async def next_due(self, now: float) -> Unsent | None:
        found = await self._store.read(
            lambda connection: connection.execute(_DUE, (now,)).fetchone()
        )
        return Unsent(*found) if found else None

    async def all(self) -> tuple[Unsent, ...]:
        rows = await self._store.read(lambda connection: connection.execute(_ALL).fetchall())
        return tuple(Unsent(*row) for row in rows)

    async def sent(self, unsent: Unsent) -> None:
        key = (unsent.bucket, unsent.name)
        await self._store.write(
            lambda connection: connection.execute(
                "DELETE FROM unsent_objects WHERE bucket = ? AND name = ?", key
            )
        )

    async def put_off(self, unsent: Unsent, until: float, fault: str) -> None:
        values = (until, fault, unsent.bucket, unsent.name)
        await self._store.write(
            lambda connection: connection.execute(
                "UPDATE unsent_objects SET attempts = attempts + 1, due = ?, fault = ? WHERE bucket = ? AND name = ?",
                values,
            )
        )


def add(connection: "sqlite3.Connection", bucket: str, name: str, size: int) -> None:
    """In the transaction of what it belongs to."""
    connection.execute(_ADD, (bucket, name, size, ""))
