"""Frames between a daemon and a keeper: four bytes of length, one of kind, then that many bytes. Pure; standard library only.

Texts are JSON objects; output begins with the offset of its first byte, input with its number, both eight bytes, big endian.
"""

import json
from struct import Struct
from typing import Any, Final, cast

TEXT: Final = 1
OUTPUT: Final = 2
INPUT: Final = 3
NUMBER: Final = Struct(">Q")
MOST_BYTES: Final = 1_048_576 + 64

_HEAD: Final = Struct(">IB")
_KINDS: Final = frozenset({TEXT, OUTPUT, INPUT})
_SLACK: Final = 262_144  # bytes that were read are cut off only now and then

Frame = tuple[int, bytes]


class FrameError(Exception):
    """What arrived is no frame: whoever sent it is not to be heard any more."""


def text(fields: dict[str, Any]) -> bytes:
    """A frame that holds a JSON object."""
    return _framed(TEXT, json.dumps(fields).encode())


def output(offset: int, data: bytes) -> bytes:
    """A frame of output whose first byte has this offset."""
    return _HEAD.pack(NUMBER.size + len(data), OUTPUT) + NUMBER.pack(offset) + data


def typed(sequence: int, data: bytes) -> bytes:
    """A frame of input with its number."""
    return _framed(INPUT, NUMBER.pack(sequence) + data)


def numbered(payload: bytes) -> tuple[int, bytes]:
    """The number and the bytes of a payload of output or input. Raises FrameError."""
    if len(payload) < NUMBER.size:
        raise FrameError("a frame without its number")
    return NUMBER.unpack_from(payload)[0], payload[NUMBER.size :]


def fields_of(payload: bytes) -> dict[str, Any]:
    """The object of a text. Raises FrameError."""
    try:
        found: object = json.loads(payload)
    except (ValueError, RecursionError) as fault:
        raise FrameError("a text that is no JSON") from fault
    if not isinstance(found, dict):
        raise FrameError("a text that is no object")
    return cast("dict[str, Any]", found)


def _framed(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), kind) + payload


class FrameReader:
    """Cuts frames out of bytes, however those arrive."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._data = bytearray()
        self._at = 0

    def feed(self, data: bytes | bytearray) -> list[Frame]:
        """The frames that are whole now. Raises FrameError."""
        self._data += data
        found: list[Frame] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        if self._at == len(self._data) or self._at > _SLACK:
            del self._data[: self._at]
            self._at = 0
        return found

    def _next(self) -> Frame | None:
        begins = self._at + _HEAD.size
        if len(self._data) < begins:
            return None
        length, kind = _HEAD.unpack_from(self._data, self._at)
        if length > self._most or kind not in _KINDS:
            raise FrameError(f"no frame: {length} bytes of kind {kind}")
        if len(self._data) < begins + length:
            return None
        self._at = begins + length
        return kind, bytes(memoryview(self._data)[begins : self._at])
