"""Conversations and workflow steps in one SQLite file: the only module that knows sqlite3, and where its errors become StorageError.

WAL with synchronous NORMAL: what was acknowledged survives a kill of the process; a power cut may take the newest writes.
One connection writes (in group commits), another reads; both are used by one thread at a time.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage import queries
from exai_trio.storage.base import Conversation, Step, Turn
from exai_trio.storage.group_commit import GroupCommit, Write, open_group_commit
from exai_trio.storage.schema import APPLICATION_ID, STEPS

T = TypeVar("T")

# How long one statement waits for another process's lock, in milliseconds: below the flush time at the end.
BUSY_MS = 2_000


@attrs.frozen
class SqliteStore:
    """A Store over an open file; made by `open_sqlite`, unusable after its block."""

    _writer: GroupCommit
    _reader: sqlite3.Connection
    _reading: trio.CapacityLimiter

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        return await self.read(lambda connection: queries.load(connection, continuation_id, now))

    async def append(
        self, continuation_id: str, turns: tuple[Turn, ...], now: float, expires_at: float
    ) -> int:
        rows = [queries.row(turn) for turn in turns]
        return await self._writer.write(
            lambda connection: queries.append(connection, continuation_id, rows, now, expires_at)
        )

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        return await self.read(
            lambda connection: queries.living_steps(connection, continuation_id, now)
        )

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        row = queries.step_row(step)
        return await self._writer.write(
            lambda connection: queries.add_step(connection, continuation_id, row, now, expires_at)
        )

    async def sweep(self, now: float) -> int:
        return await self._writer.write(lambda connection: queries.sweep(connection, now))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have statements of another module of this package done in the next batch."""
        return await self._writer.write(work)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in a thread, seeing one state of the file. A cancelled reader waits for its short query to end."""

        def run() -> T:
            with _sqlite_faults(), _transaction(self._reader, "DEFERRED"):
                return query(self._reader)

        return await trio.to_thread.run_sync(
            run, thread_name="exai storage reader", limiter=self._reading
        )


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncGenerator[SqliteStore]:
    """Open the store, making or upgrading the file if needed; leaving the block flushes and closes it.

    Raises: StorageError if the file cannot be used, or is not ours, or was made by a newer EXAI.
    """
    limiter = trio.CapacityLimiter(1)  # SQLite: one thread per connection
    writer, reader = await trio.to_thread.run_sync(_open, path, limiter=limiter)
    try:
        async with open_group_commit(lambda batch: _commit(writer, batch)) as group_commit:
            yield SqliteStore(group_commit, reader, limiter)
    finally:
        # The last close copies the log back into the file: a few milliseconds, at the end of the process only.
        reader.close()
        writer.close()


def _open(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    with _sqlite_faults(path):
        _make_private(path)
        writer = _connect(path)
        try:
            _upgrade(writer, path)
            return writer, _connect(path)
        except BaseException:
            writer.close()
            raise


def _make_private(path: Path) -> None:
    """The file exists and is ours alone before SQLite opens it; its log files take over the mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    # Used by one thread at a time (a limiter of one each), but not always by the same one.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    # IMMEDIATE: two daemons that start at once must not both take the steps.
    with _transaction(connection, "IMMEDIATE"):
        version = _schema_version(connection, path)
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def _schema_version(connection: sqlite3.Connection, path: Path) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise StorageError(
            f"{path} is a database of another program. Move it away, or set EXAI_HOME to another directory."
        )
    if version > len(STEPS):
        raise StorageError(
            f"{path} was made by a newer EXAI (schema {version}; this one knows {len(STEPS)})."
            " Upgrade EXAI, or set EXAI_HOME to another directory."
        )
    return int(version)


def _commit(connection: sqlite3.Connection, batch: Sequence[Write]) -> None:
    """Carry out a batch in one transaction. A write that fails alone is undone alone; a failed commit fails them all."""
    try:
        with _sqlite_faults(), _transaction(connection, "IMMEDIATE"):
            for write in batch:
                _carry_out(connection, write)
    except StorageError as fault:
        for write in batch:
            write.fault = write.fault or fault


def _carry_out(connection: sqlite3.Connection, write: Write) -> None:
    connection.execute("SAVEPOINT one")
    try:
        with _sqlite_faults():
            write.result = write.work(connection)
    except StorageError as fault:
        if not connection.in_transaction:  # a full disk makes SQLite give up the whole batch
            raise
        write.fault = fault
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Generator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _sqlite_faults(path: Path | None = None) -> Generator[None]:
    """sqlite3's errors, and the system's while opening, leave as StorageError with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        where = f" {path}" if path else ""
        raise StorageError(
            f"The store{where} could not be used: {fault}. {_remedy(fault)}"
        ) from fault


def _remedy(fault: Exception) -> str:
    match getattr(fault, "sqlite_errorname", ""):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another process holds its lock; try again."
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            return "The file is damaged: move it away (and its -wal and -shm) and start again."
        case "SQLITE_FULL":
            return "The disk is full."
        case _:
            return "Check that EXAI_HOME exists, is writable and has room."
