"""Server-sent events out of bytes, however the network cut them. Pure. What the data means is in `answer`."""

import attrs

from exai_trio import structs

LONGEST_LINE = 16 * 1024 * 1024  # bytes; a peer that never ends its line is cut off here


class LineTooLong(ValueError):
    """No end of line within LONGEST_LINE bytes."""


@structs.define
class EventReader:
    """Gives the data of each event. Comments (keep-alive) and all fields but `data` are dropped."""

    _rest: bytes = attrs.field(default=b"", init=False)
    _data: list[bytes] = attrs.field(factory=list[bytes], init=False)

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are now complete. Raises: LineTooLong."""
        *lines, self._rest = (self._rest + piece if self._rest else piece).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLong
        events: list[bytes] = []
        for line in lines:
            self._take(line.removesuffix(b"\r"), events)
        return events

    def end(self) -> list[bytes]:
        """The body is over: what stood in a last, unfinished line counts."""
        last, self._rest = self._rest, b""
        events: list[bytes] = []
        self._take(last.removesuffix(b"\r"), events)
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()
