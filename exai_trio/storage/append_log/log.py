"""An open log of calls before a store: made with it, closed before it, and how the two are as one disk."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import GroupCommit, open_group_commit
from exai_trio.storage.sqlite.store import SqliteStore

from .appender import Appender
from .files import DiskFiles
from .journal import LoggedJournal
from .segments import Segments


@structs.frozen(eq=False)
class LoggedStore:
    """The store and the log before it, to whoever looks after the disk."""

    store: SqliteStore
    journal: LoggedJournal
    _commits: GroupCommit

    @property
    def is_full(self) -> bool:
        """The disk was full and still is: what can wait is refused."""
        return self.store.is_full

    @property
    def fault(self) -> StorageError | None:
        """Why something could not be written the last time; None if all is well."""
        return self.store.fault or self.journal.appender.fault

    @property
    def set_aside(self) -> Path | None:
        """The damaged database that was last replaced by a fresh one."""
        return self.store.set_aside

    def flush_by(self, deadline: float) -> None:
        """The process has time until then, on trio's clock."""
        self._commits.flush_by = deadline
        self.store.flush_by(deadline)

    async def recover(self) -> None:
        """See whether a disk that was full has room again, what could not be written can be, and the files are still there."""
        await self.store.recover()
        with suppress(StorageError):
            # audit: suppress, because the journal notes it, and this is asked again
            await self.journal.recover()

    async def keep_log_short(self) -> None:
        """Fold what is due, and copy SQLite's own log back. Raises StorageError."""
        await self.journal.tidy()
        await self.store.keep_log_short()


@asynccontextmanager
async def open_call_log(
    path: Path, store: SqliteStore, *, over_power_loss: bool = False
) -> AsyncGenerator[LoggedStore]:
    """The log of calls before `store`, in files whose names begin with `path`; leaving the block flushes and closes it.

    A log or a store that cannot be used is no reason to raise: what is asked of the journal fails until it can be.
    Cancelling does too.
    """
    files = DiskFiles(path, flushes=over_power_loss)
    appender = Appender(Segments(files, flushes=over_power_loss), store.reserve)
    try:
        async with open_group_commit(appender.commit, "exai call log writer") as commits:
            logged = LoggedStore(store, LoggedJournal(store.journal(), appender, commits), commits)
            with suppress(StorageError):
                # audit: suppress, because the journal notes it, and calls are told
                await logged.journal.load()
            yield logged
    finally:
        appender.segments.close()
