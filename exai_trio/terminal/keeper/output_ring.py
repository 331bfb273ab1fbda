"""The last bytes of a program's output, each with its offset from the beginning. Pure; standard library only.

`tail` is the oldest offset that is kept, `head` the next that comes.
"""

from typing import Final

from .safe_start import SafeStart

_LOOK: Final = 4096  # bytes at a time, for a place where output may begin


class OutputRing:
    """Keeps `size` bytes. Who appends asks `room` first what may be overwritten."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.head = 0
        self.tail = 0
        self._data = memoryview(bytearray(size))
        self._safe = SafeStart()

    def room(self, held_from: int | None) -> int:
        """How many bytes may come: what has the offset `held_from`, and what is behind it, is not to be overwritten."""
        if held_from is None:
            return self.size
        return self.size - (self.head - max(held_from, self.tail))

    def append(self, data: bytes | memoryview) -> None:
        """Keep it, for at most `size` bytes; the oldest bytes make room."""
        lost = self.head + len(data) - self.size - self.tail
        if lost > 0:
            self._drop(self.tail + lost)
        place = self.head % self.size
        first = data[: self.size - place]
        self._data[place : place + len(first)] = first
        rest = data[len(first) :]
        self._data[: len(rest)] = rest
        self.head += len(data)

    def read(self, offset: int, most: int) -> bytes:
        """At most so many bytes from this offset on, which must be kept."""
        length = min(most, self.head - offset)
        place = offset % self.size
        first = bytes(self._data[place : min(place + length, self.size)])
        rest = length - len(first)
        return first + bytes(self._data[:rest]) if rest else first

    def start(self) -> int | None:
        """The first offset that is kept and where output may begin; None while there is none."""
        while True:
            piece = self.read(self._safe.at, _LOOK)
            if self._safe.settle(piece):
                return self._safe.at
            if len(piece) < _LOOK:
                return None

    def begin_here(self) -> None:
        """Who asks for the start is given what comes from now on."""
        self._safe.pass_over(self.read(self._safe.at, self.head - self._safe.at))

    def _drop(self, tail: int) -> None:
        tail = min(tail, self.head)
        if tail > self._safe.at:
            self._safe.pass_over(self.read(self._safe.at, tail - self._safe.at))
        self.tail = tail
