"""The files of a log on disk: made, found again, written, read, removed.

Everything here blocks on the disk, and raises OSError.
"""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from exai_trio import structs
from exai_trio.system.private_files import AT_ONCE, private_directory


class LogFile(Protocol):
    """One file of a log, open until it is closed or removed."""

    def write(self, head: bytes, body: bytes, place: int) -> None:
        """All of it, or nothing that is read again."""
        ...

    def read(self, place: int, length: int) -> bytes:
        """What is there of it."""
        ...

    def length(self) -> int: ...

    def cut(self, length: int) -> None:
        """Nothing stands behind this any more."""
        ...

    def flush(self) -> None:
        """What was written survives a power cut."""
        ...

    def is_there(self) -> bool:
        """It has its name still."""
        ...

    def close(self) -> None: ...

    def remove(self, *, keep: bool) -> None:
        """It is closed, and gone; or kept aside for whoever can read it."""
        ...


class LogFiles(Protocol):
    """The files of one log, by their numbers."""

    def numbers(self) -> list[int]: ...

    def make(self, number: int) -> LogFile: ...

    def open(self, number: int) -> LogFile: ...


@structs.frozen(eq=False)
class DiskFile:
    """A file under its descriptor."""

    path: Path
    descriptor: int

    def write(self, head: bytes, body: bytes, place: int) -> None:
        try:
            written = os.pwritev(self.descriptor, (head, body), place)
        except OSError:
            self._take_back(place)
            raise
        if written < len(head) + len(body):
            self._take_back(place)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _take_back(self, place: int) -> None:
        with suppress(OSError):  # else the next record is written over it
            # audit: suppress, because else the next record is written over it
            self.cut(place)

    def read(self, place: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, place)

    def length(self) -> int:
        return os.fstat(self.descriptor).st_size

    def cut(self, length: int) -> None:
        os.ftruncate(self.descriptor, length)

    def flush(self) -> None:
        os.fdatasync(self.descriptor)

    def is_there(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        except OSError:  # audit: empty-handler, because a file that is gone is not there
            return False

    def close(self) -> None:
        os.close(self.descriptor)

    def remove(self, *, keep: bool) -> None:
        there = self.is_there()
        self.close()
        if there and keep:
            self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
        elif there:
            self.path.unlink()


@structs.frozen(eq=False)
class DiskFiles:
    """Files that begin with the name of `path`, beside it. `flushes`: a new one survives a power cut."""

    path: Path
    flushes: bool = False

    def numbers(self) -> list[int]:
        name = re.compile(re.escape(self.path.name) + r"\.calls-(\d+)")
        with suppress(FileNotFoundError):
            # audit: suppress, because a folder that is not there holds no files
            found = map(name.fullmatch, os.listdir(self.path.parent))  # noqa: PTH208 - names will do
            return sorted(int(one[1]) for one in found if one)
        return []

    def make(self, number: int) -> LogFile:
        private_directory(self.path.parent)
        if self.flushes:
            self._opened(number, os.O_CREAT).close()
            _flush_directory(self.path.parent)
        return self._opened(number, os.O_CREAT)

    def open(self, number: int) -> LogFile:
        return self._opened(number, 0)

    def _opened(self, number: int, how: int) -> DiskFile:
        path = self.path.with_name(f"{self.path.name}.calls-{number}")
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | AT_ONCE | how
        return DiskFile(path, os.open(path, flags, 0o600))


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
