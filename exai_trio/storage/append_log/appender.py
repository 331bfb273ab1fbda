"""How records reach the log: written by the event loop itself while that is quick, else in a thread.

What `write` has returned for survives a kill of the process, so a record costs a system call, and no other task has a turn
meanwhile. All that waits is the thread's: for a disk that was slow just now, is full or gone, or is to flush.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.event_journal import Place
from exai_trio.storage.group_commit import Write
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.storage.sqlite.error_kinds import DiskFull, kind_of, remedy_of

from .segments import Segment, Segments

T = TypeVar("T")

# A write on the loop that took longer than this, in seconds, sends all to the thread until one takes less there.
SLOW_S: Final = 0.02


class Thread(Protocol):
    """Where work is done that may wait, in the order in which it is asked for."""

    @property
    def is_idle(self) -> bool: ...

    async def write(
        self, work: Callable[[Segments], T], *, done: Callable[[T], None] | None = None
    ) -> T:
        """Have `work` done, and `done` called with what it gave, on the loop.
        Raises StorageError. Cancelling before it is accepted leaves nothing done; after that it is done whole."""
        ...


@structs.define(eq=False)
class Appender:
    """The way into an open log. `fault`: why the last record was not written."""

    segments: Segments
    reserve: SpaceReserve
    fault: StorageError | None = None
    clock: Callable[[], float] = time.perf_counter
    _is_slow: bool = False

    def append_at_once(self, body: bytes) -> Place | None:
        """On the loop, while the thread is idle. None if the thread is to do it, and to say what is wrong."""
        active, waits = self.segments.active, self.segments.flushes or self.segments.is_due
        if active is None or waits or self._is_slow or self.fault is not None:
            return None
        begun = self.clock()
        try:
            place = active.append(body)
        except OSError:
            # audit: empty-handler, because the thread does it again and says what is wrong
            return None
        self._is_slow = self.clock() - begun > SLOW_S
        return place

    def commit(self, batch: Sequence[Write]) -> None:
        """In the thread: one after another; with `flushes` none is written unless the disk has them all."""
        if self.segments.is_due:
            with suppress(OSError):  # audit: suppress, because what is to be written meets it, too
                self.segments.roll()
        active = self.segments.active
        end = active.end if active else 0
        for write in batch:
            begun = self.clock()
            write.fault = self._fault_of(write)
            self._is_slow = self._is_slow and self.clock() - begun > SLOW_S
        if self.segments.flushes and (fault := self._flush_fault(active, end)):
            for write in batch:
                write.fault = write.fault or fault
        self.fault = next((w.fault for w in batch if isinstance(w.fault, StorageError)), None)

    def _fault_of(self, write: Write) -> Exception | None:
        """Do it. On a full disk the reserve makes room for a second try."""
        try:
            try:
                write.result = write.work(self.segments)
            except OSError as fault:
                if kind_of(fault) is not DiskFull or not self.reserve.spend():
                    raise
                write.result = write.work(self.segments)
        except OSError as fault:
            return _explained(fault)
        except Exception as fault:  # noqa: BLE001 - the border of a write; its asker raises it
            return fault
        return None

    def _flush_fault(self, before: Segment | None, end: int) -> StorageError | None:
        """Why the disk does not have what was written behind `end`; it is taken back then."""
        active = self.segments.active
        if active is None:
            return None
        try:
            active.file.flush()
        except OSError as fault:
            with suppress(OSError):  # audit: suppress, because the fault before it is told
                active.cut_back(end if active is before else 0)
            return _explained(fault)
        return None


def _explained(fault: OSError) -> StorageError:
    return kind_of(fault)(f"The log of calls could not be written: {fault}. {remedy_of(fault)}")
