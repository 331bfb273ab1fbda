"""How writes reach the file: in batches, in the writer's thread.

SQLite's own long log is copied back into the file beside it (`SqliteStore.keep_log_short`); only for one that is far too long
the writer waits.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.group_commit import Write
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite.batches import Mapped, carry_out
from exai_trio.storage.sqlite.error_kinds import Damaged, DiskFull, Locked
from exai_trio.storage.sqlite.file.database_file import Opened
from exai_trio.storage.sqlite.file.schema import APPLICATION_ID

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

# The thread waits for another process's lock for 2 s; at the end no longer than the flush may take.
_LOCKED_TRIES: Final = 200
_ASKED_AGAIN_S: Final = 0.01
# The log is copied back into the file while others write when it is so long, in bytes, and at the latest, by the writer
# itself, when it is so long that a killed daemon's successor would read it for a tenth of a second.
LOG_LENGTH: Final = 4 * 1024 * 1024
LONGEST_LOG: Final = 8 * LOG_LENGTH
# If copying took longer, in seconds, the writer does not wait for the disk to copy the rest.
QUICK_S: Final = 0.1


@structs.define(eq=False)
class Writing:
    """The writer's side of an open file."""

    opened: "Opened[Connection]"
    reserve: SpaceReserve
    mapped: Mapped
    _is_copied: bool = False

    def commit(self, batch: Sequence[Write]) -> None:
        """In the thread: carry out a batch in one transaction. A write that fails alone is undone alone; a failed commit fails them all.

        On a full disk the reserve makes room for a second try, and damage is left behind for one.
        """
        try:
            self._carry_out_in_spite(batch)
            self.opened.fault = None
        except StorageError as fault:
            self.opened.fault = fault
            for write in batch:
                write.fault = write.fault or fault
        else:
            self._keep_log_short()

    def _carry_out_in_spite(self, batch: Sequence[Write]) -> None:
        try:
            self._carry_out(batch)
        except (DiskFull, Damaged) as fault:
            helped = (
                self.reserve.spend() if isinstance(fault, DiskFull) else self.opened.note_damage()
            )
            if not helped:
                raise
            self._carry_out(batch)

    def _carry_out(self, batch: Sequence[Write]) -> None:
        """A lock is waited for here, where the wait can be cut: the connection itself never waits."""
        for _ in range(_LOCKED_TRIES):
            try:
                return carry_out(self.opened.writer(), batch, self.mapped)
            except Locked:
                time.sleep(_ASKED_AGAIN_S)
                trio.from_thread.check_cancelled()
        return carry_out(self.opened.writer(), batch, self.mapped)

    def note_copied(self, seconds: float) -> None:
        """It took so long; of a quick disk the writer may ask to copy what little has come since."""
        self._is_copied = seconds < QUICK_S

    def is_log_over(self, length: int) -> bool:
        """Raises StorageError, also if there is no log."""
        with self.mapped():
            return self.opened.log.stat().st_size > length

    def _keep_log_short(self) -> None:
        """The first write to a log that is begun anew is made here. A reader that is in the way delays it all."""
        with suppress(StorageError), self.mapped():
            # audit: suppress, because the log is made short at another write
            if self._is_copied or self.is_log_over(LONGEST_LOG):
                self._is_copied = False
                self.opened.writer().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                probe(self.opened.writer())


def probe(connection: "Connection") -> None:
    """A write that changes nothing, also in a file that a newer EXAI has taken further."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
