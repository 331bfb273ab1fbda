"""The line that a program in line mode is being typed: the kernel drops what exceeds 4,095 characters. Pure; standard library only."""

import re
from typing import Final

MOST: Final = 4095


class LineMode:
    """How the terminal reads lines: the characters that end one, and the one that takes back the last character."""

    def __init__(self, ends: bytes, erase: bytes) -> None:
        self._ends = re.compile(b"[" + re.escape(ends) + b"]")
        self._erase = erase

    def lengths(self, begun: int, data: bytes) -> tuple[int, int]:
        """The longest line while these are typed behind a line of `begun` characters, and the length of the last one."""
        longest, last = 0, 0
        for number, part in enumerate(self._ends.split(data)):
            before = 0 if number else begun
            last = max(0, before + len(part) - 2 * (part.count(self._erase) if self._erase else 0))
            longest = max(longest, before + len(part))
        return longest, last


class LineLimit:
    """Counts the characters of the line that is being typed."""

    def __init__(self) -> None:
        self._length = 0

    def fits(self, data: bytes, mode: LineMode | None) -> bool:
        """Whether the kernel takes all of it; `mode` is None where no lines are read."""
        if mode is None:
            self._length = 0
            return True
        return mode.lengths(self._length, data)[0] <= MOST

    def wrote(self, data: bytes, mode: LineMode | None) -> None:
        """Count what the terminal has taken."""
        self._length = 0 if mode is None else mode.lengths(self._length, data)[1]
