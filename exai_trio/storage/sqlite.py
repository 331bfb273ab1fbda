"""One SQLite file, for everything that is kept: the only module that knows sqlite3, and where its errors become StorageError.

WAL with synchronous NORMAL: what was acknowledged survives a kill of the process; a power cut may take the newest writes
(not with synchronous FULL, which costs a disk flush for each commit).
One connection writes (in group commits), another reads; both are used by one thread at a time.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage import queries
from exai_trio.storage.ballast import Ballast
from exai_trio.storage.base import Conversation, Step, Turn
from exai_trio.storage.damage import marker, note, put_aside
from exai_trio.storage.faults import Damaged, DiskFull, kind_of, remedy_of
from exai_trio.storage.group_commit import GroupCommit, Write, open_group_commit
from exai_trio.storage.journal import Journal
from exai_trio.storage.journal_sqlite import SqliteJournal
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
    _path: Path
    _ballast: Ballast
    set_aside: Path | None = None

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

    def journal(self) -> Journal:
        """The journal of calls in the same file, written in the same commits."""
        return SqliteJournal(self._writer, self.read, self._ballast)

    @property
    def is_full(self) -> bool:
        """The disk was full and still is: what can wait is refused."""
        return self._ballast.spent

    async def recover(self) -> None:
        """See whether a disk that was full has room again."""
        if self._ballast.spent:
            await trio.to_thread.run_sync(self._ballast.restore, limiter=self._reading)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have statements of another module of this package done in the next batch."""
        return await self._writer.write(work)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in a thread, seeing one state of the file. A cancelled reader waits for its short query to end."""

        def run() -> T:
            with _noting_damage(self._path), _transaction(self._reader, "DEFERRED"):
                return query(self._reader)

        return await trio.to_thread.run_sync(
            run, thread_name="exai storage reader", limiter=self._reading
        )


@asynccontextmanager
async def open_sqlite(
    path: Path, *, over_power_loss: bool = False, replace_damaged: bool = False
) -> AsyncGenerator[SqliteStore]:
    """Open the store, making or upgrading the file if needed; leaving the block flushes and closes it.

    `over_power_loss`: each commit waits until the disk has it (synchronous FULL). `replace_damaged`: a damaged file is set
    aside, never overwritten, and a fresh one is made.
    Raises: StorageError if the file cannot be used, or is not ours, or was made by a newer EXAI.
    """
    limiter = trio.CapacityLimiter(1)  # SQLite: one thread per connection
    ballast = Ballast(path.with_name(f"{path.name}.ballast"))
    opened = await trio.to_thread.run_sync(
        partial(_open_anyhow, path, ballast, replace_damaged=replace_damaged), limiter=limiter
    )
    writer, reader, set_aside = opened
    synchronous = "FULL" if over_power_loss else "NORMAL"
    writer.execute(f"PRAGMA synchronous = {synchronous}")
    try:
        async with open_group_commit(
            lambda batch: _commit(writer, batch, path, ballast)
        ) as commits:
            yield SqliteStore(commits, reader, limiter, path, ballast, set_aside)
    finally:
        # The last close copies the log back into the file: a few milliseconds, at the end of the process only.
        reader.close()
        writer.close()


def _open_anyhow(
    path: Path, ballast: Ballast, *, replace_damaged: bool
) -> tuple[sqlite3.Connection, sqlite3.Connection, Path | None]:
    """Open in spite of a full disk and, if wanted, of damage."""
    found_damaged = replace_damaged and marker(path).exists()
    set_aside = _set_aside(path) if found_damaged else None
    try:
        writer, reader = _open(path)
    except DiskFull:
        if not ballast.spend():
            raise
        writer, reader = _open(path)
    except Damaged:
        if not replace_damaged:
            raise
        set_aside = _set_aside(path)
        writer, reader = _open(path)
    ballast.restore()
    return writer, reader, set_aside


def _set_aside(path: Path) -> Path:
    with _sqlite_faults(path):
        return put_aside(path)


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


def _commit(
    connection: sqlite3.Connection, batch: Sequence[Write], path: Path, ballast: Ballast
) -> None:
    """Carry out a batch in one transaction. A write that fails alone is undone alone; a failed commit fails them all.

    On a full disk the ballast makes room for a second try.
    """
    try:
        try:
            _carry_out_all(connection, batch)
        except DiskFull:
            if not ballast.spend():
                raise
            _carry_out_all(connection, batch)
    except StorageError as fault:
        if isinstance(fault, Damaged):
            note(path)
        for write in batch:
            write.fault = write.fault or fault


def _carry_out_all(connection: sqlite3.Connection, batch: Sequence[Write]) -> None:
    if len(batch) == 1 and batch[0].whole:
        _carry_out_alone(connection, batch[0])
        return
    with _sqlite_faults(), _transaction(connection, "IMMEDIATE"):
        for write in batch:
            write.fault = None
            _carry_out(connection, write)


def _carry_out_alone(connection: sqlite3.Connection, write: Write) -> None:
    """One statement is its own transaction: no other statements, each of which would give up the interpreter and wait for it."""
    write.fault = None
    with _sqlite_faults():
        write.result = write.work(connection)


def _carry_out(connection: sqlite3.Connection, write: Write) -> None:
    connection.execute("SAVEPOINT one")
    try:
        with _sqlite_faults():
            write.result = write.work(connection)
    except StorageError as fault:
        if isinstance(fault, DiskFull) or not connection.in_transaction:
            raise  # the whole batch: it may be tried again in the ballast's room
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
def _noting_damage(path: Path) -> Generator[None]:
    try:
        with _sqlite_faults():
            yield
    except Damaged:
        note(path)
        raise


@contextmanager
def _sqlite_faults(path: Path | None = None) -> Generator[None]:
    """sqlite3's errors, and the system's while opening, leave as StorageError with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        where = f" {path}" if path else ""
        kind = kind_of(fault)
        raise kind(f"The store{where} could not be used: {fault}. {remedy_of(fault)}") from fault
