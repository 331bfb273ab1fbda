"""A log file that is renamed when it is full.

Several processes may write one; none fails because the disk does.
"""

import logging
import os
from pathlib import Path

from exai_trio.system.private_files import AT_ONCE, append_whole, private_directory

FILE_MODE = 0o600


class RotatedFile(logging.Handler):
    """Appends one line a record, unbuffered: what a full disk refuses is counted and dropped, and nothing piles up.

    The file is opened with the first record. A process that finds the file renamed by another opens the new one.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        super().__init__()
        self.dropped = 0
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            append_whole(self._writable(len(line)), line)
        except Exception:  # noqa: BLE001  # there is nowhere left to report to
            self.dropped += 1

    def close(self) -> None:
        self.acquire()
        try:
            self._release()
        finally:
            self.release()
        super().close()

    def _writable(self, length: int) -> int:
        """A descriptor of the file at our path with room for `length` bytes."""
        if self._descriptor is None or self._moved(self._descriptor):
            self._release()
            self._descriptor = self._open()
        size = os.fstat(self._descriptor).st_size
        if size and size + length > self._max_bytes:
            self._release()
            self._rotate()
            self._descriptor = self._open()
        return self._descriptor

    def _open(self) -> int:
        private_directory(self._path.parent)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | AT_ONCE, FILE_MODE)

    def _moved(self, descriptor: int) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:  # audit: fault-as-success, because a file that is gone has moved
            return True
        return not os.path.samestat(there, os.fstat(descriptor))

    def _rotate(self) -> None:
        numbered = [
            self._path,
            *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._keep + 1)),
        ]
        for older, newer in zip(reversed(numbered), reversed(numbered[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
