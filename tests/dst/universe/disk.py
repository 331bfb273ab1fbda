"""The disk of the simulation: the real log of calls on files that stall, refuse and tear, and a database in memory behind it."""

import errno
import random

import attrs
import trio

from exai_trio.errors import StorageError
from exai_trio.storage.append_log.appender import Appender
from exai_trio.storage.append_log.framing import records_in
from exai_trio.storage.append_log.journal import LoggedJournal
from exai_trio.storage.append_log.segments import Segments
from exai_trio.storage.event_journal import EventJournal
from exai_trio.storage.group_commit import Write
from exai_trio.storage.journal_events import Accepted, Finished, HandedOver, decode
from exai_trio.storage.memory.journal import MemoryJournal
from exai_trio.storage.space_reserve import Ballast

_SEALED_AT = 4_000  # bytes: segments come and go all the time


@attrs.define(eq=False)
class File:
    """One file of the log, in memory. A write that is refused leaves a piece of it, which cannot be cut off."""

    disk: "Disk"
    number: int
    data: bytearray = attrs.field(factory=bytearray)

    def write(self, head, body, place):
        content = head + body
        if self.disk.is_full:
            self.data[place:] = content[: self.disk.draw.randrange(len(content))]
            raise OSError(errno.ENOSPC, "No space left on device")
        self.data[place:] = content

    def read(self, place, length):
        return bytes(self.data[place : place + length])

    def length(self):
        return len(self.data)

    def cut(self, length):
        del self.data[length:]

    def is_there(self):
        return self.disk.files.get(self.number) is self

    def close(self):
        pass

    def remove(self, *, keep):
        del self.disk.files[self.number]


class NoRoom(Ballast):
    """Nothing is held back for a full disk."""

    def spend(self):
        return False


@attrs.define(eq=False)
class Thread:
    """Stands where the log's thread is, and is the loop's only way: it takes its time."""

    disk: "Disk"
    appender: Appender
    is_idle: bool = False

    async def write(self, work, *, done=None):
        await self.disk.take_time(self, work, done)
        return self.carry_out(work, done)

    def carry_out(self, work, done):
        write = Write(work, done)
        self.appender.commit([write])
        if write.fault is not None:
            raise write.fault
        if done is not None:
            done(write.result)
        return write.result


@attrs.define(eq=False)
class Disk(EventJournal):
    """What is in it outlives the daemon: each life of one begins with `boot`."""

    draw: random.Random = attrs.field(factory=random.Random, kw_only=True)
    full_until: float = attrs.field(default=0.0, kw_only=True)
    refused: set = attrs.field(factory=set, kw_only=True)  # calls whose outcome it has once refused
    slowest: float = attrs.field(default=0.5, kw_only=True)
    files: dict = attrs.field(factory=dict, kw_only=True)
    database: MemoryJournal = attrs.field(factory=MemoryJournal, kw_only=True)
    journal: LoggedJournal = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.boot()

    def boot(self) -> None:
        """A daemon starts on what the last one has left. Its last record may have been cut short."""
        if self.files and self.draw.random() < 0.3:
            last = self.files[max(self.files)]
            last.data += self.draw.randbytes(self.draw.randrange(1, 40))
        appender = Appender(Segments(self), NoRoom(None))
        self.journal = LoggedJournal(
            self.database, appender, Thread(self, appender), sealed_at=_SEALED_AT
        )

    @property
    def is_full(self) -> bool:
        return self.full_until > trio.current_time()

    def numbers(self):
        return sorted(self.files)

    def make(self, number):
        self.files[number] = File(self, number)
        return self.files[number]

    def open(self, number):
        return self.files[number]

    async def take_time(self, thread, work, done) -> None:
        try:
            await trio.sleep(self.draw.choice((0.0, 0.0, 0.001, 0.005, self.slowest)))
        except trio.Cancelled:
            if self.draw.random() < 0.5:  # the crash came after the write, before its word of it
                try:
                    thread.carry_out(work, done)
                except StorageError:
                    pass
            raise

    def kept(self, key: str):
        """What there is of the call that its editor knows as "window:id", in the database and in the log."""
        name = (f"shim_{key.partition(':')[0]}", f'"{key}"')
        found = self.database._calls.get(name)
        for number in self.numbers():
            if number > self.database._folded:
                for _, body in records_in(number, bytes(self.files[number].data)):
                    found = _after(decode(body), name, found)
        return found

    async def note(self, event) -> None:
        await self.journal.note(event)

    async def accept(self, call) -> None:
        await self.journal.accept(call)

    async def finish(self, session, request, outcome) -> None:
        try:
            await self.journal.finish(session, request, outcome)
        except StorageError:
            self.refused.add(request.strip('"'))
            raise

    async def hand_over(self, session, request, outcome, begun) -> None:
        try:
            await self.journal.hand_over(session, request, outcome, begun)
        except StorageError:
            self.refused.add(request.strip('"'))
            raise

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


def _after(event, name, found):
    match event:
        case Accepted(call) if (call.session, call.request) == name:
            return attrs.evolve(call, outcome=None)
        case Finished(session, request, outcome) | HandedOver(session, request, outcome) if (
            found and (session, request) == name
        ):
            return attrs.evolve(found, outcome=found.outcome or outcome)
        case _:
            return found
