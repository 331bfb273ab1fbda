"""The two connections to the store's file, which are opened again when they have failed.

They are opened on a fresh file when the old one is damaged, and on a copy of it when it has lost its name. No SQL here.

The writer's thread opens, closes and writes. Another thread reads, under a lock, so that nothing is renamed while it does.
"""

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import attrs

from exai_trio import structs
from exai_trio.errors import StorageError
from exai_trio.storage.sqlite.error_kinds import Damaged, NotOurs
from exai_trio.storage.sqlite.file.quarantine import note, put_aside


class Closeable(Protocol):
    """All that is asked of a connection here."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closeable)


@structs.frozen
class Pair(Generic[C]):
    """One connection writes, the other reads."""

    writer: C
    reader: C

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@structs.define(eq=False)
class Opened(Generic[C]):
    """`connect` opens the file, `copy` writes all that an open one holds to a file of this name; both raise StorageError.
    `fault` says why the store cannot be written at the moment.

    `lasting`: a file that cannot be opened is tried again with each write, a damaged one is set aside, and one that was
    removed is written anew.
    """

    path: Path
    connect: Callable[[Path], Pair[C]]
    copy: Callable[[C, Path], None]
    lasting: bool
    fault: StorageError | None = None
    set_aside: Path | None = None
    _pair: Pair[C] | None = None
    _damaged: bool = False
    _removed: bool = False
    _reading: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def log(self) -> Path:
        """SQLite's file beside the file, of what is not copied back yet."""
        return self.path.with_name(f"{self.path.name}-wal")

    def open(self) -> None:
        """The first time. Raises StorageError unless `lasting`; then the store is without its file for now."""
        try:
            self._open_first()
        except NotOurs:
            raise
        except StorageError as fault:
            if not self.lasting:
                raise
            self.fault = fault

    def _open_first(self) -> None:
        try:
            self._anew()
        except Damaged:
            if not self.note_damage():
                raise
            self._anew()

    @property
    def damaged(self) -> bool:
        """The next write goes to a fresh file."""
        return self._damaged

    def look(self) -> bool:
        """Whether somebody has removed the file: it lives on without a name while it is open, and a killed daemon would take it
        along. The next write goes to a copy."""
        self._removed = self.lasting and self._pair is not None and not self.path.exists()
        return self._removed

    def writer(self) -> C:
        """In the writer's thread only. Raises StorageError."""
        if self._pair is None or self._damaged or self._removed:
            with self._reading:
                return self._anew().writer
        return self._pair.writer

    @contextmanager
    def reader(self) -> Generator[C]:
        """Nobody else has it meanwhile. Raises StorageError."""
        with self._reading:
            if self._pair is None:
                raise self.fault or StorageError("The store is closed.")
            yield self._pair.reader

    def _anew(self) -> Pair[C]:
        if self._damaged:
            self._leave_damaged()
        elif self._removed:
            self._leave_removed()
        self._pair = self.connect(self.path)
        return self._pair

    def _leave_damaged(self) -> None:
        """Renamed before it is closed: closing deletes the log file, by its name."""
        aside = _put_aside(self.path)
        if self._pair is not None:
            self._pair.close()
        self._pair, self._damaged, self.set_aside = None, False, aside

    def _leave_removed(self) -> None:
        if self._pair is not None:
            self.copy(self._pair.writer, self.path)
            self._pair.close()
        self._pair, self._removed = None, False

    def note_damage(self) -> bool:
        """The content of the file is broken. Returns whether the next write goes to a fresh one."""
        note(self.path)
        self._damaged = self.lasting
        return self.lasting

    def close(self) -> None:
        """The writer's thread has ended, and nobody reads."""
        if self._pair is not None:
            self._pair.close()
            self._pair = None


def _put_aside(path: Path) -> Path:
    try:
        return put_aside(path)
    except OSError as fault:
        raise StorageError(f"{path} is damaged and cannot be set aside: {fault}") from fault


def make_private(path: Path) -> None:
    """The file exists and is ours alone before SQLite opens it; its log files take over the mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
