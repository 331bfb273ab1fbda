"""Server-sent events out of bytes, however the network cut them. Pure. What the data means is in `chunk`.

Beyond the standard: a line of JSON without a field name is an event, and so is each `data:` line that is JSON in itself,
since some services leave out `data:`, or the empty line between two events.
"""

from typing import Final

import attrs
import msgspec

from exai_trio import structs

LONGEST_LINE = 16 * 1024 * 1024  # bytes; a peer that never ends its line is cut off here
MOST_ASIDE: Final = 4096  # bytes kept of lines that belong to no event
_FIELDS: Final = (b":", b"event:", b"id:", b"retry:", b"data")


class LineTooLong(ValueError):
    """No end of line within LONGEST_LINE bytes."""


@structs.define
class EventReader:
    """Gives the data of each event. Comments (keep-alive) and all fields but `data` are dropped.

    Lines end in LF, CRLF or CR. What stands in no field is kept in `aside`: it may be a proxy's last words.
    """

    aside: bytearray = attrs.field(factory=bytearray, init=False)
    _rest: bytes = attrs.field(default=b"", init=False)
    _after_cr: bool = attrs.field(default=False, init=False)
    _data: list[bytes] = attrs.field(factory=list[bytes], init=False)

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are now complete. Raises: LineTooLong."""
        if self._after_cr or b"\r" in piece:
            piece = self._one_line_end(piece)
        *lines, self._rest = (self._rest + piece if self._rest else piece).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLong
        events: list[bytes] = []
        for line in lines:
            self._take(line, events)
        return events

    def end(self) -> list[bytes]:
        """The body is over: what stood in a last, unfinished line counts."""
        last, self._rest = self._rest, b""
        events: list[bytes] = []
        self._take(last, events)
        self._take(b"", events)
        return events

    def _one_line_end(self, piece: bytes) -> bytes:
        """With LF for each end of line; the second half of a CRLF may come in the next piece."""
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        if piece:
            self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._add(line[5:].removeprefix(b" "), events)
        elif not line:
            self._dispatch(events)
        elif not line.startswith(_FIELDS[:-1]):
            self._take_oddly(line.strip(b" \t\x00\xef\xbb\xbf"), events)

    def _take_oddly(self, line: bytes, events: list[bytes]) -> None:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"data":
            self._add(value.strip(), events)
        elif line.startswith(b"{"):
            self._dispatch(events)
            events.append(line)
        elif not line.lower().startswith(_FIELDS):
            self.aside += line[: max(0, MOST_ASIDE - len(self.aside))] + b"\n"

    def _add(self, data: bytes, events: list[bytes]) -> None:
        """A second line of data belongs to the first, unless that is whole in itself."""
        if len(self._data) == 1 and _is_whole(self._data[0]):
            self._dispatch(events)
        self._data.append(data)

    def _dispatch(self, events: list[bytes]) -> None:
        if self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()


def _is_whole(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.strip() == b"[DONE]"
    return data.strip()[:1] == b"{"
