"""What a user has typed and the program has not taken yet, under its numbers. Pure: no trio, no clock, no I/O."""

from collections import deque

import attrs

from exai_trio import structs

MOST_BYTES = 65_536
_PIECE = 16_384  # bytes under one number


@structs.define(eq=False)
class TypedKeys:
    """Numbers count from 1. `taken` is the last that the program has; what is sent is kept until it is taken."""

    taken: int = 0
    waiting: int = 0  # bytes
    _sent: int = 0
    _last: int = 0
    _pieces: deque[tuple[int, bytes]] = attrs.field(factory=deque[tuple[int, bytes]])

    def add(self, data: bytes) -> bool:
        """Keep it; false if that would be too much, and nothing is kept."""
        if self.waiting + len(data) > MOST_BYTES:
            return False
        for start in range(0, len(data), _PIECE):
            self._last += 1
            self._pieces.append((self._last, data[start : start + _PIECE]))
        self.waiting += len(data)
        return True

    def due(self) -> list[tuple[int, bytes]]:
        """What is to be sent now, in order."""
        found = [piece for piece in self._pieces if piece[0] > self._sent]
        self._sent = self._last
        return found

    def note_taken(self, number: int) -> None:
        """Everything up to this number is with the program."""
        self.taken = max(self.taken, number)
        self._sent = max(self._sent, self.taken)
        while self._pieces and self._pieces[0][0] <= number:
            self.waiting -= len(self._pieces.popleft()[1])

    def send_again(self) -> None:
        """What is not taken is to be sent once more: the line was cut, or there was no room."""
        self._sent = self.taken

    def renumber(self) -> None:
        """The keeper knows us no more: what waits is numbered from 1."""
        kept = [data for _, data in self._pieces]
        self.taken = self.waiting = self._sent = self._last = 0
        self._pieces.clear()
        for data in kept:
            self.add(data)
