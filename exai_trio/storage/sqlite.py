"""Conversations in one SQLite file: the only module that knows sqlite3, and where its errors become StorageError.

WAL with synchronous NORMAL: what was acknowledged survives a kill of the process; a power cut may take the newest writes
(not with synchronous FULL, which costs a disk flush for each commit).
One connection writes (in group commits), another reads; both are used by one thread at a time.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.base import Conversation, Turn
from exai_trio.storage.group_commit import GroupCommit, Write, open_group_commit
from exai_trio.storage.journal import Journal
from exai_trio.storage.journal_sqlite import SqliteJournal
from exai_trio.storage.schema import APPLICATION_ID, STEPS

T = TypeVar("T")
Row = tuple[Any, ...]  # a turn: role, text, tool, model, provider, at, extra as JSON text

# How long one statement waits for another process's lock, in milliseconds: below the flush time at the end.
BUSY_MS = 2_000


@attrs.frozen
class SqliteStore:
    """A ConversationStore over an open file; made by `open_sqlite`, unusable after its block."""

    _writer: GroupCommit
    _reader: sqlite3.Connection
    _reading: trio.CapacityLimiter

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        return await self._read(lambda connection: _load(connection, continuation_id, now))

    async def append(
        self, continuation_id: str, turns: tuple[Turn, ...], now: float, expires_at: float
    ) -> int:
        rows = [_row(turn) for turn in turns]
        return await self._writer.write(
            lambda connection: _append(connection, continuation_id, rows, now, expires_at)
        )

    async def sweep(self, now: float) -> int:
        return await self._writer.write(lambda connection: _sweep(connection, now))

    def journal(self) -> Journal:
        """The journal of calls in the same file, written in the same commits."""
        return SqliteJournal(self._writer, self._read)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in a thread, seeing one state of the file. A cancelled reader waits for its short query to end."""

        def run() -> T:
            with _sqlite_faults(), _transaction(self._reader, "DEFERRED"):
                return query(self._reader)

        return await trio.to_thread.run_sync(
            run, thread_name="exai storage reader", limiter=self._reading
        )


@asynccontextmanager
async def open_sqlite(path: Path, *, over_power_loss: bool = False) -> AsyncGenerator[SqliteStore]:
    """Open the store, making or upgrading the file if needed; leaving the block flushes and closes it.

    `over_power_loss`: each commit waits until the disk has it (synchronous FULL).
    Raises: StorageError if the file cannot be used, or is not ours, or was made by a newer EXAI.
    """
    limiter = trio.CapacityLimiter(1)  # SQLite: one thread per connection
    writer, reader = await trio.to_thread.run_sync(_open, path, limiter=limiter)
    try:
        if over_power_loss:
            writer.execute("PRAGMA synchronous = FULL")
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


def _load(connection: sqlite3.Connection, continuation_id: str, now: float) -> Conversation | None:
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


def _row(turn: Turn) -> Row:
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


def _append(
    connection: sqlite3.Connection,
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


def _sweep(connection: sqlite3.Connection, now: float) -> int:
    return connection.execute("DELETE FROM conversations WHERE expires_at <= ?", (now,)).rowcount
