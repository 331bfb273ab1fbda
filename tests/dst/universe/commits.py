"""The real group commit, whose thread is a task: what it writes takes the disk's time, and nobody else may write meanwhile."""

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.append_log.appender import Appender
from exai_trio.storage.append_log.journal import LoggedJournal
from exai_trio.storage.append_log.segments import Segments
from exai_trio.storage.event_journal import EventJournal
from exai_trio.storage.group_commit import GroupCommit
from exai_trio.storage.space_reserve import SpaceReserve
from exai_trio.system.change import Change

_SEALED_AT = 4_000  # bytes: segments come and go all the time
_PATIENCE_S = 10.0  # after so long an outcome is told before it is kept


class NoRoom(SpaceReserve):
    """Nothing is held back for a full disk."""

    def spend(self):
        return False


@attrs.define(eq=False, slots=False)
class Commits(GroupCommit):
    """Batches are written one after another by `write_batches`, which stands where the thread is."""

    disk: object = None
    appender: Appender | None = None
    is_writing: bool = False
    _asked: Change = attrs.field(factory=Change)

    async def write(self, work, *, done=None):
        self._asked.tell()
        return await super().write(work, done=done)

    def close(self):
        super().close()
        self._asked.tell()

    async def write_batches(self) -> None:
        """Until closed, and all that waits is written; or cancelled: the process has ended, and what was in hand is on disk or not."""
        while batch := await self._asked_batch():
            self.is_writing = True
            try:
                await self.disk.take_time()
            except trio.Cancelled:
                if (
                    self.disk.draw.random() < 0.5
                ):  # the end came after the write, before its word of it
                    self._commit(batch)
                raise
            self._commit(batch)
            self._batch = []
            self._settle(batch)

    async def _asked_batch(self):
        while self._waiting.empty():
            await self._asked.wait()
        return self._next_batch()

    def _commit(self, batch) -> None:
        self.is_writing = False
        self.appender.commit(batch)


@attrs.define(eq=False, slots=False)
class LifesJournal(EventJournal):
    """The journal as one daemon has it open. `write_batches` is to run as long as that daemon."""

    disk: object
    flushes: bool
    commits: Commits = attrs.field(init=False)
    journal: LoggedJournal = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.commits = Commits(disk=self.disk)
        segments = Segments(
            self.disk.files_for(self.commits), flushes=self.flushes, sealed_at=_SEALED_AT
        )
        appender = Appender(segments, NoRoom(None), clock=self.disk.stopwatch)
        self.commits.appender = appender
        self.journal = LoggedJournal(self.disk.database, appender, self.commits)

    async def note(self, event) -> None:
        await self.journal.note(event)

    async def accept(self, call) -> None:
        await self.journal.accept(call)

    async def finish(self, session, request, outcome) -> None:
        with self._late(request):
            await self.journal.finish(session, request, outcome)

    async def hand_over(self, session, request, outcome, to) -> None:
        with self._late(request):
            await self.journal.hand_over(session, request, outcome, to)

    def _late(self, request):
        return _Late(self.disk.late, request.strip('"'))

    async def names(self, principal):
        return await self.journal.names(principal)

    async def unfinished(self):
        return await self.journal.unfinished()

    async def session(self, session):
        return await self.journal.session(session)

    async def sweep_calls(self, now, unnumbered_s):
        return await self.journal.sweep_calls(now, unnumbered_s)

    async def tidy(self) -> None:
        await self.journal.tidy()

    async def retire(self) -> None:
        await self.journal.retire()

    async def recover(self) -> None:
        await self.journal.recover()


class _Late:
    """Notes the call whose outcome the disk did not take, or not in time: that is told before it is kept."""

    def __init__(self, late, key):
        # the very sum that the daemon waits for: a difference may be less than what was added
        self._late, self._key, self._until = late, key, trio.current_time() + _PATIENCE_S

    def __enter__(self):
        return self

    def __exit__(self, kind, fault, trace):
        if isinstance(fault, StorageError) or (kind and trio.current_time() >= self._until):
            self._late.add(self._key)
        return False
