"""Input in the order of its numbers, each written to the program once, over any reconnect. Pure; standard library only.

Every client counts its own input from 1. A number is `taken` when the terminal has all of its bytes, or when it was refused.
"""

from collections import deque
from typing import Final

from .line_limit import LineLimit, LineMode

MOST_WAITING: Final = 65_536  # bytes, and pieces: one may be empty
_MOST_CLIENTS: Final = 256

QUEUED: Final = "queued"
REPEATED: Final = "repeated"
OUT_OF_ORDER: Final = "out of order"
FULL: Final = "full"

Taken = tuple[str, int]  # a client, and the last of its numbers


class _Piece:
    """One frame of input on its way."""

    def __init__(self, client: str, sequence: int, data: bytes) -> None:
        self.client = client
        self.sequence = sequence
        self.data = data
        self.begun = False


class NumberedInput:
    """What waits to be written, and the last number of each client. `refused` has what no line can hold, `settled` what is taken
    without having been written."""

    def __init__(self) -> None:
        self.waiting = 0
        self.refused: list[Taken] = []
        self.settled: list[Taken] = []
        self._pieces: deque[_Piece] = deque()
        self._queued: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._line = LineLimit()

    @property
    def is_due(self) -> bool:
        """Whether anything waits, and be it nothing under a number."""
        return bool(self._pieces)

    def taken(self, client: str) -> int:
        """The last number of this client that is written; 0 if there is none."""
        return self._taken.get(client, 0)

    def expected(self, client: str) -> int:
        """The number that this client's next input must have."""
        return self._queued.get(client, 0) + 1

    def offer(self, client: str, sequence: int, data: bytes) -> str:
        """Queue it, or say why not; then nothing has changed."""
        expected = self.expected(client)
        if sequence < expected:
            return REPEATED
        if sequence > expected:
            return OUT_OF_ORDER
        is_many = len(self._pieces) >= MOST_WAITING
        if is_many or (self.waiting and self.waiting + len(data) > MOST_WAITING):
            return FULL
        self._queued.pop(client, None)  # the youngest stands last
        self._queued[client] = sequence
        self._pieces.append(_Piece(client, sequence, data))
        self.waiting += len(data)
        self._forget_old()
        return QUEUED

    def next(self, mode: LineMode | None) -> bytes:
        """The bytes that are to be written next; what the kernel would cut is left out, and stands in `refused`."""
        while self._pieces:
            piece = self._pieces[0]
            if piece.data and (piece.begun or self._line.fits(piece.data, mode)):
                return piece.data
            if piece.data:
                self.refused.append((piece.client, piece.sequence))
            self.settled.append(self._pop())
        return b""

    def wrote(self, count: int, mode: LineMode | None) -> Taken | None:
        """The terminal took so many of those bytes; the number that is taken thereby, if one is."""
        piece = self._pieces[0]
        self._line.wrote(piece.data[:count], mode)
        piece.begun = True
        self.waiting -= count
        piece.data = piece.data[count:]
        return None if piece.data else self._pop()

    def drop(self) -> None:
        """The program has ended: nothing will be written."""
        self._pieces.clear()
        self.waiting = 0

    def _pop(self) -> Taken:
        piece = self._pieces.popleft()
        self.waiting -= len(piece.data)
        self._taken[piece.client] = piece.sequence
        return piece.client, piece.sequence

    def _forget_old(self) -> None:
        """Of clients that were not heard of for long nothing is known: whose numbers go on is refused, never written twice."""
        if len(self._queued) > _MOST_CLIENTS:
            oldest = next(iter(self._queued))
            del self._queued[oldest]
            self._taken.pop(oldest, None)
