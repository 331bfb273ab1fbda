"""How records reach the log: written by the event loop itself while that is quick, else in a thread.

What `write` has returned for survives a kill of the process, so a record costs a system call, and no other task has a turn
meanwhile. All that waits is the thread's: for a disk that was slow just now, is full or gone, or is to flush.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeVar

import trio

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.event_journal import Place
from exai_trio.storage.group_commit import Write
from exai_trio.storage.space_reserve import Ballast
from exai_trio.storage.sqlite.errors import DiskFull, kind_of, remedy_of

from .segments import Segment, Segments

T = TypeVar("T")

# A write on the loop that took longer than this, in seconds, sends all to the thread for a hundred times as long as it took:
# the loop waits for a slow disk in one hundredth of its time at most.
SLOW_S: Final = 0.005
MOST_WAITING: Final = 0.01


class Thread(Protocol):
    """Where work is done that may wait, in the order in which it is asked for."""

    @property
    def is_idle(self) -> bool: ...

    async def write(
        self, work: Callable[[Segments], T], *, done: Callable[[T], None] | None = None
    ) -> T: ...


@structs.define(eq=False)
class Appender:
    """The way into an open log. `fault`: why the last record was not written."""

    segments: Segments
    ballast: Ballast
    fault: StorageError | None = None
    _quiet_until: float = 0.0

    async def append(self, thread: Thread, body: bytes, note: Callable[[Place], None]) -> None:
        """`note` hears where the record stands, once it does; whoever is cancelled meanwhile does not keep it from that.

        Raises StorageError; then there is no record.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if thread.is_idle and (place := self._at_once(body)):
            note(place)
        else:
            await thread.write(lambda segments: segments.append(body), done=note)

    def _at_once(self, body: bytes) -> Place | None:
        """On the loop; None if the thread is to do it, and to say what is wrong."""
        begun, active = trio.current_time(), self.segments.active
        if active is None or self._is_for_the_thread or begun < self._quiet_until:
            return None
        try:
            return active.append(body)
        except OSError:
            return None
        finally:
            self._note_duration(trio.current_time() - begun)

    @property
    def _is_for_the_thread(self) -> bool:
        return self.segments.flushes or self.fault is not None

    def _note_duration(self, seconds: float) -> None:
        if seconds > SLOW_S:
            self._quiet_until = trio.current_time() + seconds / MOST_WAITING

    def commit(self, batch: Sequence[Write]) -> None:
        """In the thread: one after another; with `flushes` none is written unless the disk has them all."""
        active = self.segments.active
        end = active.end if active else 0
        for write in batch:
            write.fault = self._fault_of(write)
        if self.segments.flushes and (fault := self._flush_fault(active, end)):
            for write in batch:
                write.fault = write.fault or fault
        self.fault = next((w.fault for w in batch if isinstance(w.fault, StorageError)), None)

    def _fault_of(self, write: Write) -> Exception | None:
        """Do it. On a full disk the ballast makes room for a second try."""
        try:
            try:
                write.result = write.work(self.segments)
            except OSError as fault:
                if kind_of(fault) is not DiskFull or not self.ballast.spend():
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
            with suppress(OSError):
                active.cut_back(end if active is before else 0)
            return _explained(fault)
        return None


def _explained(fault: OSError) -> StorageError:
    return kind_of(fault)(f"The log of calls could not be written: {fault}. {remedy_of(fault)}")
