"""The disk of the simulation: files that stall, refuse, tear and forget, and a database in memory; daemons come and go on it."""

import errno
import random
from collections import deque
from collections.abc import Callable

import attrs
import trio
from journal_in_memory import MemoryJournal

from exai_trio.storage.append_log.framing import end_of, head_of, records_in
from exai_trio.storage.journal_events import Accepted, Finished, HandedOver, decode

from .commits import Commits, LifesJournal

_SECTOR = 512
_STALL_STEP_S = 1.0  # what a write on the loop seems to take while the disk stalls


@attrs.define(eq=False)
class File:
    """One file of the log as one daemon has it open. A write that is refused leaves a piece of it, which cannot be cut off."""

    disk: "Disk"
    commits: Commits
    number: int
    data: bytearray

    def flush(self):
        if self.disk.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.disk.flushed[self.number] = len(self.data)

    def write(self, head, body, place):
        if self.commits.is_writing:
            self.disk.fail("the loop wrote into the log while its thread did")
        content = head + body
        if self.disk.is_full and not self._is_refused_later():
            self.data[place:] = content[: self.disk.draw.randrange(len(content))]
            raise OSError(errno.ENOSPC, "No space left on device")
        self.data[place:] = content

    def _is_refused_later(self):
        """Some disks take what they cannot keep, and say so when it is flushed."""
        return self.disk.flushes and self.disk.draw.random() < 0.5

    def read(self, place, length):
        return bytes(self.data[place : place + length])

    def length(self):
        return len(self.data)

    def cut(self, length):
        del self.data[length:]

    def is_there(self):
        return self.disk.files.get(self.number) is self.data

    def close(self):
        pass

    def remove(self, *, keep):
        if self.number in self.disk.torn and not keep:
            self.disk.fail(f"segment {self.number} has a torn end, and was not kept aside")
        if keep and self._is_whole():
            self.disk.fail(f"segment {self.number} is whole, and was kept aside")
        if self.is_there():
            del self.disk.files[self.number]

    def _is_whole(self):
        return 0 < _end_of_records(self.number, self.data) == len(self.data)


@attrs.define(eq=False)
class Files:
    """The log's files to one daemon."""

    disk: "Disk"
    commits: Commits

    def numbers(self):
        return sorted(self.disk.files)

    def make(self, number):
        self.disk.files.setdefault(number, bytearray())
        return self.open(number)

    def open(self, number):
        return File(self.disk, self.commits, number, self.disk.files[number])


@attrs.define(eq=False, slots=False)
class Database(MemoryJournal):
    """What is folded into it takes the disk's time, and is there in one step: all of it or nothing, and once."""

    disk: "Disk" = attrs.field(kw_only=True)
    _places: set = attrs.field(factory=set, init=False)

    async def fold(self, last, over, events):
        if last > self._folded:
            await self.disk.take_time()
            self.disk.strike()
        await super().fold(last, over, lambda: self._watched(events()))
        self.disk.strike()

    def _watched(self, events):
        for place, event in events:
            if place[0] > self._folded and place in self._places:
                self.disk.fail(f"the record at {place} was folded twice")
            self._places.add(place)
            yield place, event


@attrs.define(eq=False)
class Disk:
    """What is on it outlives every daemon: each life of one begins with `boot`. `late` are calls whose outcome it has refused, or
    not taken in time; `torn` the files behind whose records something else stands, `flushed` how much of each outlives a power cut.
    `blow` is what happens when a segment is folded the next time, just before or after it."""

    draw: random.Random
    fail: Callable[[str], None]
    full_until: float = 0.0
    stalled_until: float = 0.0
    slowest: float = 0.5
    late: set = attrs.field(factory=set)
    files: dict = attrs.field(factory=dict)
    torn: set = attrs.field(factory=set)
    flushed: dict = attrs.field(factory=dict)
    blow: Callable[[], None] | None = None
    flushes: bool = False
    database: Database = attrs.field(init=False)
    _watched: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.database = Database(disk=self)

    def boot(self, *, alone: bool, flushes: bool) -> LifesJournal:
        """A daemon starts on what the last one has left. Its last record may have been cut short, unless that one still runs."""
        newest = max(self.files, default=0)
        self.torn = {number for number in self.torn if number > self.database._folded}
        if alone and newest > self.database._folded and self.draw.random() < 0.5:
            self._tear(newest)
        self.flushes = flushes
        return LifesJournal(self, flushes)

    def _tear(self, number: int) -> None:
        """Behind the last record there is noise, the beginning of another one, or a whole one that stood here before."""
        data = self.files[number]
        records = [
            (place, head_of(number, place, body) + body)
            for place, body in records_in(number, bytes(data))
        ]
        whole = self.draw.choice(records)[1] if records else b""
        tail = self.draw.choice(
            (self.draw.randbytes(self.draw.randrange(1, 40)), whole, whole[:-1])
        )
        data += tail
        if tail:
            self.torn.add(number)

    def lose_newest(self) -> None:
        """Somebody removes the file that the log is written to."""
        if self.files:
            del self.files[max(self.files)]

    def strike(self) -> None:
        if self.blow is not None and self.draw.random() < 0.5:
            self.blow()
            self.blow = None

    def lose_power(self) -> None:
        """Of what was not flushed any sector may be there or not."""
        for number, data in list(self.files.items()):
            begin = self.flushed.get(number, 0)
            for at in range(begin, len(data), _SECTOR):
                if self.draw.random() < 0.5:
                    data[at : at + _SECTOR] = bytes(len(data[at : at + _SECTOR]))
            if begin < len(data):
                del data[self.draw.randrange(begin, len(data)) :]
                self._look_behind(number)
            if not begin and self.draw.random() < 0.3:
                del self.files[number]
                self.torn.discard(number)

    def _look_behind(self, number: int) -> None:
        """What tore it before may be gone itself."""
        data = self.files[number]
        is_torn = _end_of_records(number, data) < len(data)
        (self.torn.add if is_torn else self.torn.discard)(number)

    def files_for(self, commits: Commits) -> Files:
        return Files(self, commits)

    def stopwatch(self) -> float:
        """The appender's clock: what is written while the disk stalls, or is slow just now, is not written on the loop again."""
        slow = self.stalled_until > trio.current_time() or self.draw.random() < 0.2
        self._watched += _STALL_STEP_S if slow else 0.0
        return self._watched

    @property
    def is_full(self) -> bool:
        return self.full_until > trio.current_time()

    async def take_time(self) -> None:
        await trio.sleep(self.draw.choice((0.0, 0.0, 0.001, 0.005, self.slowest)))
        await trio.sleep_until(self.stalled_until)

    def calm(self) -> None:
        """From now on it takes everything, quickly."""
        self.blow = None
        self.full_until = self.stalled_until = 0.0
        self.slowest = 0.01

    def kept(self, key: str):
        """What there is of the call that its editor knows as "window:id", in the database and in the log."""
        return self.kept_as(f"shim_{key.partition(':')[0]}", key)

    def kept_as(self, session: str, key: str):
        """The same of a call that is kept under a name of its own: its handle."""
        name = (session, f'"{key}"')
        found = self.database._calls.get(name)
        for number in sorted(self.files):
            if number > self.database._folded:
                for _, body in records_in(number, bytes(self.files[number])):
                    found = _after(decode(body), name, found)
        return found


def _end_of_records(number, data):
    last = deque(records_in(number, bytes(data)), maxlen=1)
    return end_of(*last[0]) if last else 0


def _after(event, name, found):
    match event:
        case Accepted(call) if (call.session, call.request) == name:
            return attrs.evolve(call, outcome=None)
        case HandedOver(_, _, _, to) if (to.session, to.request) == name:
            return attrs.evolve(to, outcome=None)
        case Finished(session, request, outcome) | HandedOver(session, request, outcome) if (
            found and (session, request) == name
        ):
            return attrs.evolve(found, outcome=found.outcome or outcome)
        case _:
            return found
