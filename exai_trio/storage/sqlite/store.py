"""One SQLite file, for everything that is kept.

WAL with synchronous NORMAL: what was acknowledged survives a kill of the process; a power cut may take the newest writes
(not with synchronous FULL, which costs a disk flush for each commit).
One connection writes (group commits in a thread), another reads, a third copies the log back; each is used by one thread at a time.
"""

import math
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.principals import OWNER
from exai_trio.storage.base import Conversation, Step, Turn
from exai_trio.storage.group_commit import GroupCommit, open_group_commit
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite import statements
from exai_trio.storage.sqlite.batches import transaction
from exai_trio.storage.sqlite.error_kinds import Damaged
from exai_trio.storage.sqlite.file.connections import copy_file, existing, open_pair, sqlite_faults
from exai_trio.storage.sqlite.file.database_file import Opened
from exai_trio.storage.sqlite.file.quarantine import marker
from exai_trio.storage.sqlite.file.upgrade import schema_version
from exai_trio.storage.sqlite.journal import SqliteJournal
from exai_trio.storage.sqlite.write_path import LOG_LENGTH, Writing, probe
from exai_trio.storage.store_times import StoreTimes

T = TypeVar("T")


_SLOW_S: Final = 0.05  # for a read by key; less may be the other programs of a busy machine
_REST: Final = 100.0  # times as long as a slow one took, the next are a thread's


@structs.define(eq=False)
class _OnLoop:
    """A disk that is slow holds up the loop once, and not for more than a hundredth of its time."""

    not_before: float = -math.inf

    @contextmanager
    def watched(self) -> Generator[None]:
        began = trio.current_time()
        try:
            yield
        finally:
            now = trio.current_time()
            if now - began > _SLOW_S:
                self.not_before = now + _REST * (now - began)


@structs.frozen
class SqliteStore:
    """Conversations in an open file, and the Store of one principal there; made by `open_sqlite`, unusable after its block."""

    _writer: GroupCommit
    _opened: Opened[sqlite3.Connection]
    _reading: trio.CapacityLimiter
    _copying: trio.CapacityLimiter
    _writing: Writing
    _copy_back: Callable[[], None]

    _times: StoreTimes
    _principal: str = OWNER
    _on_loop: _OnLoop = attrs.field(factory=_OnLoop)

    def of(self, principal: str) -> "SqliteStore":
        return attrs.evolve(self, principal=principal)

    @property
    def principal(self) -> str:
        """Whose conversations are seen."""
        return self._principal

    async def load(self, continuation_id: str, now: float) -> Conversation | None:
        return await self.read(
            lambda connection: statements.load(connection, self._principal, continuation_id, now)
        )

    async def append(
        self,
        continuation_id: str,
        turns: tuple[Turn, ...],
        now: float,
        expires_at: float,
        step: Step | None = None,
    ) -> int:
        rows = [statements.row(turn) for turn in turns]
        last = None if step is None else statements.step_row(step)
        own = (self._principal, continuation_id)

        def work(connection: sqlite3.Connection) -> int:
            count = statements.append(connection, own, rows, now, expires_at)
            if last is not None:
                statements.add_step(connection, own, last, now, expires_at)
            return count

        return await self.write(work)

    async def kept_under(self, keys: tuple[str, ...], now: float) -> str | None:
        return await self.read(
            lambda connection: statements.kept_under(connection, self._principal, keys, now)
        )

    async def steps(self, continuation_id: str, now: float) -> tuple[Step, ...]:
        return await self.read(
            lambda connection: statements.present_steps(
                connection, self._principal, continuation_id, now
            )
        )

    async def add_step(
        self, continuation_id: str, step: Step, now: float, expires_at: float
    ) -> tuple[Step, ...]:
        row, own = statements.step_row(step), (self._principal, continuation_id)

        def work(connection: sqlite3.Connection) -> tuple[Step, ...]:
            statements.add_step(connection, own, row, now, expires_at)
            return statements.all_steps(connection, continuation_id)

        return await self.write(work)

    async def sweep(self, now: float) -> int:
        return await self.write(lambda connection: statements.sweep(connection, now))

    async def newest_at(self) -> float | None:
        return await self.read(statements.newest_at)

    async def note_time(self, now: float) -> None:
        await self.write(lambda connection: statements.note_time(connection, now))

    def journal(self) -> SqliteJournal:
        """The journal of calls in the same file, written in the same commits."""
        return SqliteJournal(self._writer, self.read, self.reserve)

    @property
    def reserve(self) -> SpaceReserve:
        """The room on this disk that is held back."""
        return self._writing.reserve

    @property
    def is_full(self) -> bool:
        """The disk was full and still is: what can wait is refused."""
        return self._writing.reserve.spent

    @property
    def fault(self) -> StorageError | None:
        """Why nothing could be written the last time; None if all is well."""
        return self._opened.fault

    @property
    def set_aside(self) -> Path | None:
        """The damaged file that was last replaced by a fresh one."""
        return self._opened.set_aside

    def flush_by(self, deadline: float) -> None:
        """The process has time until then, on trio's clock."""
        self._writer.flush_by = deadline

    async def recover(self) -> None:
        """See whether a disk that was full has room again, what could not be written can be, and the file is still there."""
        if self._writing.reserve.spent:
            await trio.to_thread.run_sync(self._writing.reserve.restore, limiter=self._reading)
        removed = await trio.to_thread.run_sync(self._opened.look, limiter=self._reading)
        if removed or self._opened.fault is not None or self._opened.damaged:
            with suppress(StorageError):  # audit: suppress, because the writer notes it
                await self._writer.write(probe)

    async def keep_log_short(self) -> None:
        """Copy a log that has become long back into the file, while others write; then it can be begun anew.

        Cancelling waits for the disk. Raises StorageError.
        """
        if self._writing.is_log_over(LOG_LENGTH):
            began = trio.current_time()
            await trio.to_thread.run_sync(self._copy_back, limiter=self._copying)
            self._writing.note_copied(trio.current_time() - began)
            await self._writer.write(probe)

    async def write(
        self, work: Callable[[sqlite3.Connection], T], *, done: Callable[[T], None] | None = None
    ) -> T:
        """Have another module's statements done in the next batch, and `done` called with what they return. Cancelling: as there."""
        with self._times.timed("sqlite", "write"):
            return await self._writer.write(work, done=done)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in a thread, seeing one state of the file. A cancelled reader waits for its short query to end."""

        with self._times.timed("sqlite", "read"):
            return await trio.to_thread.run_sync(
                self._read_now, query, thread_name="exai storage reader", limiter=self._reading
            )

    async def read_by_key(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The same for a query that finds a row or two by their keys: while the disk is quick it runs right here, once nobody else
        reads, for the way to a thread and back takes ten times as long. Cancelling leaves nothing behind."""
        if trio.current_time() < self._on_loop.not_before:
            return await self.read(query)
        await self._take_reader()
        try:
            with self._times.timed("sqlite", "read"), self._on_loop.watched():
                return self._read_now(query)
        finally:
            self._reading.release()

    async def _take_reader(self) -> None:
        """Without a turn of the scheduler while it is free."""
        try:
            self._reading.acquire_nowait()
        except trio.WouldBlock:
            await self._reading.acquire()

    def _read_now(self, query: Callable[[sqlite3.Connection], T]) -> T:
        opened = self._opened
        with opened.reader() as reader, _noting_damage(opened), transaction(reader, "DEFERRED"):
            return query(reader)


@asynccontextmanager
async def open_sqlite(
    path: Path,
    *,
    over_power_loss: bool = False,
    lasting: bool = False,
    times: StoreTimes | None = None,
) -> AsyncGenerator[SqliteStore]:
    """Open the store, making or upgrading the file if needed; leaving the block flushes and closes it.

    `over_power_loss`: each commit waits until the disk has it (synchronous FULL). `lasting`: a damaged file is set aside,
    never overwritten, and a fresh one is made, at any time; a file that cannot be used is no reason to raise, what
    is asked of the store fails until it can be.
    Raises: StorageError if the file is not ours, or was made by a newer EXAI, or (unless `lasting`) cannot be used.
    Cancelling flushes and closes it too.
    """
    limiter = trio.CapacityLimiter(1)  # SQLite: one thread per connection
    reserve = SpaceReserve(path.with_name(f"{path.name}.ballast"))
    connect = partial(open_pair, reserve=reserve, over_power_loss=over_power_loss)
    opened = Opened(path, connect, copy_file, lasting=lasting)
    await trio.to_thread.run_sync(_open_first, opened, limiter=limiter)
    try:
        writing = Writing(opened, reserve, sqlite_faults)
        async with open_group_commit(writing.commit) as commits:
            copying = trio.CapacityLimiter(1)
            copy_back = partial(_copy_back, opened)
            yield SqliteStore(
                commits, opened, limiter, copying, writing, copy_back, times or StoreTimes()
            )
    finally:
        # The last close copies the log back into the file: a few milliseconds, at the end of the process only.
        opened.close()


def check_ours(path: Path) -> None:
    """Raises NotOurs where `open_sqlite` would, and changes nothing; whatever else is wrong with the file is not looked for."""
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(existing(path, "ro")) as reader:
        # audit: suppress, because what else is wrong is said when it is opened
        schema_version(reader, path)


def _open_first(opened: Opened[sqlite3.Connection]) -> None:
    if opened.lasting and marker(opened.path).exists():
        opened.note_damage()
    opened.open()


def _copy_back(opened: Opened[sqlite3.Connection]) -> None:
    """What stands in the log now is in the file, too, when this returns."""
    with _noting_damage(opened), closing(existing(opened.path, "rw")) as copier:
        copier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


@contextmanager
def _noting_damage(opened: Opened[sqlite3.Connection]) -> Generator[None]:
    try:
        with sqlite_faults():
            yield
    except Damaged:
        opened.note_damage()
        raise
