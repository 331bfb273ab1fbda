"""A file of lines of JSON: they are gathered in memory and appended now and then."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import attrs
import msgspec

from exai_trio import structs
from exai_trio.system.private_files import append_private

Line = TypeVar("Line")

_MOST_WAITING = 50_000  # lines of about 150 bytes: 7.5 MB if the disk is full
_ROTATE_BYTES = 20 * 2**20


@structs.define(eq=False)
class LineFile(Generic[Line]):
    """Lines wait here until `flush` writes them, at most `most`; what does not fit is dropped and counted."""

    path: Path
    rotate_bytes: int = _ROTATE_BYTES
    most: int = _MOST_WAITING
    dropped: int = 0
    waiting: list[Line] = attrs.field(factory=list[Line])
    encode: Callable[[Line], bytes] = msgspec.json.encode

    def add(self, line: Line) -> None:
        if len(self.waiting) < self.most:
            self.waiting.append(line)
        else:
            self.dropped += 1

    def add_made(self, make: Callable[[], Line]) -> None:
        """As `add`, and the line is made only if it fits."""
        if len(self.waiting) < self.most:
            self.waiting.append(make())
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Append what waits. Blocks on the disk: call it in a thread. Raises OSError, and then keeps the lines."""
        lines, self.waiting = self.waiting, []
        if not lines:
            return
        data = b"".join(self.encode(line) + b"\n" for line in lines)
        try:
            append_private(self.path, data, rotate_bytes=self.rotate_bytes)
        except OSError:
            self.waiting = (lines + self.waiting)[: self.most]
            raise
