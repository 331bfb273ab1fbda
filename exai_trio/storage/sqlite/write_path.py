"""How writes reach the file: batches in the writer's thread, a lone short one at once, on the loop's own.

SQLite takes tens of microseconds for a short statement, the way through a thread several times that. So the loop writes
itself while that is quick: not beside the thread, not when the disk has just been slow, not while anything is wrong. All
that waits is the thread's: for a disk to flush, for another process's lock. A long log is copied back into the file beside
both (`SqliteStore.keep_log_short`); only for one that is far too long the writer waits.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.sqlite.batches import Mapped, carry_out
from exai_trio.storage.sqlite.database_file import Opened
from exai_trio.storage.sqlite.errors import Damaged, DiskFull, Locked
from exai_trio.storage.sqlite.group_commit import Write
from exai_trio.storage.sqlite.schema import APPLICATION_ID
from exai_trio.storage.sqlite.space_reserve import Ballast

if TYPE_CHECKING:  # one module loads sqlite3
    from sqlite3 import Connection

# The thread waits for another process's lock for 2 s; at the end no longer than the flush may take.
_LOCKED_TRIES: Final = 200
_ASKED_AGAIN_S: Final = 0.01
# After so many writes on the loop one is the thread's, which then looks after the log.
TURNS: Final = 256
# A write on the loop that took longer than this, in seconds, sends all to the thread for a while: the loop waits for a slow
# disk in one hundredth of its time at most.
SLOW_S: Final = 0.005
MOST_WAITING: Final = 0.01
# The log is copied back into the file while others write when it is so long, in bytes, and at the latest, by the writer
# itself, when it is so long that a killed daemon's successor would read it for a tenth of a second.
LOG_LENGTH: Final = 4 * 1024 * 1024
LONGEST_LOG: Final = 8 * LOG_LENGTH
# If copying took longer, in seconds, the writer does not wait for the disk to copy the rest.
QUICK_S: Final = 0.1

Work = Callable[["Connection"], None]


@structs.define(eq=False)
class Writing:
    """The writer's side of an open file. `flushes`: each commit waits until the disk has it, so none is made on the loop."""

    opened: "Opened[Connection]"
    ballast: Ballast
    mapped: Mapped
    flushes: bool
    _turns_left: int = TURNS
    _quiet_until: float = 0.0
    _copying: bool = False
    _is_copied: bool = False

    def at_once(self, work: Work) -> bool:
        """On the loop, while the thread has nothing to do. Returns whether it is done; else the thread is to do it, and says what
        is wrong."""
        begun = trio.current_time()
        connection = self.opened.healthy()
        if connection is None or self._is_for_the_thread or begun < self._quiet_until:
            return False
        self._turns_left -= 1
        try:
            with self.mapped():
                work(connection)
        except StorageError:
            # audit: empty-handler, because the thread does it again and says what is wrong
            return False
        finally:
            self._note_duration(trio.current_time() - begun)
        return True

    @property
    def _is_for_the_thread(self) -> bool:
        return self.flushes or self._copying or self._turns_left <= 0

    def _note_duration(self, seconds: float) -> None:
        if seconds > SLOW_S:
            self._quiet_until = trio.current_time() + seconds / MOST_WAITING

    def commit(self, batch: Sequence[Write]) -> None:
        """In the thread: carry out a batch in one transaction. A write that fails alone is undone alone; a failed commit fails them all.

        On a full disk the ballast makes room for a second try, and damage is left behind for one.
        """
        try:
            self._carry_out_in_spite(batch)
            self.opened.fault = None
            self._turns_left = TURNS
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
                self.ballast.spend() if isinstance(fault, DiskFull) else self.opened.note_damage()
            )
            if not helped:
                raise
            self._carry_out(batch)

    def _carry_out(self, batch: Sequence[Write]) -> None:
        """A lock is waited for here: the connection itself never waits, since the loop uses it too."""
        for _ in range(_LOCKED_TRIES):
            try:
                return carry_out(self.opened.writer(), batch, self.mapped)
            except Locked:
                time.sleep(_ASKED_AGAIN_S)
                trio.from_thread.check_cancelled()
        return carry_out(self.opened.writer(), batch, self.mapped)

    @contextmanager
    def beside_copying(self) -> Generator[None]:
        """The log is copied back in this block, and then written to by the thread: the first write to a log of which all is copied
        begins it anew, and waits for the disk."""
        self._copying = True
        try:
            yield
        finally:
            self._copying = False

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
