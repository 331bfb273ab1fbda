"""Server-sent events out of bytes, however the network cut them. Pure. What the data means is in `answer`."""

from collections.abc import Iterator

import attrs

LONGEST_LINE = 16 * 1024 * 1024  # bytes; a peer that never ends its line is cut off here


class LineTooLong(ValueError):
    """No end of line within LONGEST_LINE bytes."""


@attrs.define
class EventReader:
    """Yields the data of each event. Comments (keep-alive) and all fields but `data` are dropped."""

    _rest: bytes = attrs.field(default=b"", init=False)
    _data: list[bytes] = attrs.field(factory=list[bytes], init=False)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Raises: LineTooLong."""
        *lines, self._rest = (self._rest + piece if self._rest else piece).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLong
        for line in lines:
            yield from self._take(line)

    def end(self) -> Iterator[bytes]:
        """The body is over: what stood in a last, unfinished line counts."""
        last, self._rest = self._rest, b""
        yield from self._take(last)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[bytes]:
        line = line.removesuffix(b"\r")
        if not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            yield event
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
