"""A log of calls whose files are in memory, as a disk keeps them: what was flushed, and what a power cut may take."""

import errno
import random

import attrs
from journal_in_memory import MemoryJournal

from exai_trio.storage.append_log.appender import Appender
from exai_trio.storage.append_log.journal import LoggedJournal
from exai_trio.storage.append_log.segments import Segments
from exai_trio.storage.group_commit import Write
from exai_trio.storage.space_reserve import SpaceReserve

_SECTOR = 512


@attrs.define(eq=False)
class MemoryDisk:
    """Files by their numbers. `room` is bytes; a write that finds none leaves what fitted, until it is cut off."""

    files: dict = attrs.field(factory=dict)
    room: float = float("inf")
    fault: int = 0  # an errno that whatever is written meets
    flushes: int = 0
    kept_aside: list = attrs.field(factory=list)

    def numbers(self):
        return sorted(self.files)

    def make(self, number):
        self.check()
        self.files[number] = MemoryFile(self, number)
        return self.files[number]

    def open(self, number):
        return self.files[number]

    def check(self):
        if self.fault:
            raise OSError(self.fault, "test")

    def lose_power(self, draw: random.Random) -> None:
        """Of what was not flushed any sectors may be there, in any order; of a file that was just made nothing at all."""
        for number, file in list(self.files.items()):
            file.lose_power(draw)
            if not file.flushed and draw.random() < 0.3:
                del self.files[number]


@attrs.define(eq=False)
class MemoryFile:
    disk: MemoryDisk
    number: int
    data: bytearray = attrs.field(factory=bytearray)
    flushed: int = 0

    def write(self, head, body, place):
        self.disk.check()
        content = head + body
        fits = int(min(len(content), self.disk.room))
        self.data[place:] = content[:fits]
        if fits < len(content):
            raise OSError(errno.ENOSPC, "test")
        self.disk.room -= fits

    def read(self, place, length):
        return bytes(self.data[place : place + length])

    def length(self):
        return len(self.data)

    def cut(self, length):
        del self.data[length:]

    def flush(self):
        self.disk.check()
        self.flushed = len(self.data)
        self.disk.flushes += 1

    def is_there(self):
        return self.disk.files.get(self.number) is self

    def close(self):
        pass

    def remove(self, *, keep):
        if self.is_there():
            del self.disk.files[self.number]
        if keep:
            self.disk.kept_aside.append(self.number)

    def lose_power(self, draw):
        for begin in range(self.flushed, len(self.data), _SECTOR):
            if draw.random() < 0.5:
                end = min(begin + _SECTOR, len(self.data))
                self.data[begin:end] = bytes(end - begin)
        if draw.random() < 0.5:
            self.cut(draw.randint(self.flushed, len(self.data)))


@attrs.define(eq=False)
class AtOnce:
    """Stands where the log's thread is: does the work in the step in which it is asked for."""

    appender: Appender
    is_idle: bool = True

    async def write(self, work, *, done=None):
        write = Write(work, done)
        self.appender.commit([write])
        if write.fault is not None:
            raise write.fault
        if done is not None:
            done(write.result)
        return write.result


@attrs.define(eq=False)
class NoRoom(SpaceReserve):
    """Nothing is held back."""

    def spend(self):
        self.spent = True
        return False


def log_before_memory(disk=None, backing=None, *, flushes=False):
    """A journal as a daemon has it after its start on this disk; and the two."""
    disk, backing = disk or MemoryDisk(), backing or MemoryJournal()
    appender = Appender(Segments(disk, flushes=flushes), NoRoom(None))
    return LoggedJournal(backing, appender, AtOnce(appender)), disk, backing
