"""The disk of the simulation: files that stall, refuse and tear, and a database in memory; daemons come and go on it."""

import errno
import random
from collections.abc import Callable

import attrs
import trio

from exai_trio.storage.append_log.framing import records_in
from exai_trio.storage.journal_events import Accepted, Finished, HandedOver, decode
from exai_trio.storage.memory.journal import MemoryJournal

from .commits import Commits, LifesJournal

_STALL_STEP_S = 1.0  # what a write on the loop seems to take while the disk stalls


@attrs.define(eq=False)
class File:
    """One file of the log as one daemon has it open. A write that is refused leaves a piece of it, which cannot be cut off."""

    disk: "Disk"
    commits: Commits
    number: int
    data: bytearray

    def write(self, head, body, place):
        if self.commits.is_writing:
            self.disk.fail("the loop wrote into the log while its thread did")
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
        return self.disk.files.get(self.number) is self.data

    def close(self):
        pass

    def remove(self, *, keep):
        if self.is_there():
            del self.disk.files[self.number]


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


@attrs.define(eq=False)
class Disk:
    """What is on it outlives every daemon: each life of one begins with `boot`. `late` are calls whose outcome it has refused, or
    not taken in time."""

    draw: random.Random
    fail: Callable[[str], None]
    full_until: float = 0.0
    stalled_until: float = 0.0
    slowest: float = 0.5
    late: set = attrs.field(factory=set)
    files: dict = attrs.field(factory=dict)
    database: MemoryJournal = attrs.field(factory=MemoryJournal)
    _watched: float = 0.0

    def boot(self, *, alone: bool) -> LifesJournal:
        """A daemon starts on what the last one has left. Its last record may have been cut short, unless that one still runs."""
        if alone and self.files and self.draw.random() < 0.3:
            self.files[max(self.files)] += self.draw.randbytes(self.draw.randrange(1, 40))
        return LifesJournal(self)

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
