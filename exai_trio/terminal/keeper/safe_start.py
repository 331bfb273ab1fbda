"""Where output may begin that has lost what came before: not within an escape sequence or a UTF-8 character. Pure; standard library only.

What a terminal makes of a byte depends on the bytes since the last ESC alone, since ESC ends whatever was begun. So of
bytes that are dropped only those since the last ESC are looked at.
"""

import re
from typing import Final

GROUND: Final = "ground"
_ESCAPE: Final = "escape"  # behind ESC
_MIDDLE: Final = "intermediate"  # behind ESC and a byte that wants another
_CONTROL: Final = "control sequence"
_COMMAND: Final = "operating system command"
_STRING: Final = "string"

_ESC: Final = 0x1B
_CANCEL: Final = (0x18, 0x1A)
_INTERMEDIATES: Final = range(0x20, 0x30)
_PRINTABLE: Final = 0x20
_CONTINUATION: Final = range(0x80, 0xC0)
_LONGEST_CHARACTER: Final = 3  # continuation bytes of UTF-8
_INTRODUCED: Final = {
    ord("["): _CONTROL,
    ord("]"): _COMMAND,
    ord("P"): _STRING,
    ord("X"): _STRING,
    ord("^"): _STRING,
    ord("_"): _STRING,
}
_ENDS: Final = {
    _MIDDLE: re.compile(rb"[\x30-\x7e\x18\x1a\x1b]"),
    _CONTROL: re.compile(rb"[\x40-\x7e\x18\x1a\x1b]"),
    _COMMAND: re.compile(rb"[\x07\x18\x1a\x1b]"),
    _STRING: re.compile(rb"[\x18\x1a\x1b]"),
}


class SafeStart:
    """What is known of the place where output begins: the byte with offset `at` comes in state `mode`, and up to `within` bytes
    there may still belong to a character."""

    def __init__(self) -> None:
        self.at = 0
        self._mode = GROUND
        self._within = 0

    def pass_over(self, dropped: bytes) -> None:
        """The bytes from `at` on are dropped: the output begins behind them."""
        self.at += len(dropped)
        self._within = _LONGEST_CHARACTER
        escape = dropped.rfind(b"\x1b")
        if escape >= 0:
            self._mode, _ = _follow(_ESCAPE, dropped, escape + 1)
        else:
            self._mode, _ = _follow(self._mode, dropped, 0)

    @property
    def is_between(self) -> bool:
        """Whether no escape sequence is begun at `at`."""
        return self._mode == GROUND

    def settle(self, data: bytes) -> bool:
        """Move `at` to the first safe place in `data`, which begins there; false if there is none yet, and `at` is behind it."""
        self._mode, position = _follow(self._mode, data, 0)
        if position:
            self._within = 0 if self._mode == GROUND else self._within
        while self._mode == GROUND and self._within and position < len(data):
            if data[position] not in _CONTINUATION:
                self._within = 0
                break
            position += 1
            self._within -= 1
        self.at += position
        return self._mode == GROUND and not (self._within and position == len(data))


def _follow(mode: str, data: bytes, position: int) -> tuple[str, int]:
    """The state, and how far one must read for it: up to where nothing is begun any more, or to the end."""
    while mode != GROUND and position < len(data):
        if mode == _ESCAPE:
            mode = _introduced(data[position])
            position += 1
            continue
        found = _ENDS[mode].search(data, position)
        if found is None:
            return mode, len(data)
        position = found.end()
        mode = _ESCAPE if data[found.start()] == _ESC else GROUND
    return mode, position


def _introduced(byte: int) -> str:
    """The state behind ESC and this byte."""
    if byte == _ESC:
        return _ESCAPE
    if byte in _CANCEL:
        return GROUND
    if byte in _INTERMEDIATES:
        return _MIDDLE
    if byte < _PRINTABLE:  # a control character is carried out, and the sequence goes on
        return _ESCAPE
    return _INTRODUCED.get(byte, GROUND)
