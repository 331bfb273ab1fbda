"""The SQLite tables in memory, on the event loop itself, with a clock of one's own: for tests and the simulation."""

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.storage.sqlite.batches import transaction
from exai_trio.storage.sqlite.file.schema import STEPS
from exai_trio.storage.sqlite.uploads.cleanup_store import SqliteCleanup
from exai_trio.storage.sqlite.uploads.upload_store import SqliteUploads
from exai_trio.system.clock import unix_now

T = TypeVar("T")


def _made() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(_empty())
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@functools.cache
def _empty() -> bytes:
    """All tables, without a row: made once, since it takes ten times as long as a copy."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in STEPS:
            for statement in step:
                connection.execute(statement)
        return connection.serialize()


@structs.define(eq=False)
class MemoryDatabase:
    """A Database that forgets. `now` is its clock, in unix seconds."""

    now: Callable[[], float] = unix_now
    connection: sqlite3.Connection = attrs.field(factory=_made)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        await trio.lowlevel.checkpoint()
        return query(self.connection)

    async def write(
        self, work: Callable[[sqlite3.Connection], T], done: Callable[[T], object] | None = None
    ) -> T:
        await trio.lowlevel.checkpoint()
        with transaction(self.connection, "IMMEDIATE"):
            result = work(self.connection)
        if done is not None:
            done(result)
        return result

    def time_of(self, _connection: sqlite3.Connection) -> float:
        return self.now()

    def uploads(self) -> SqliteUploads:
        return SqliteUploads(self, self.time_of)

    def cleanup(self, unlink: Callable[[str], int] = lambda _sha256: 0) -> SqliteCleanup:
        return SqliteCleanup(self, unlink, self.time_of)
