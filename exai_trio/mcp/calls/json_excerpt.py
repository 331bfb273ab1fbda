"""A JSON text of any length, read in pieces and kept with its long strings cut. Pure: no trio, no clock, no I/O."""

import re
from typing import Any, Final

import attrs
import msgspec

from exai_trio import structs

LONGEST: Final = (
    4_001 * 12
)  # bytes of a string: 4,001 characters, each written as a pair of escapes
_MOST: Final = 2 * 2**20  # of all that is kept
# Possessive: what was read is never looked at again, which would take a state for each character.
_BODY: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_WHOLE: Final = re.compile(  # characters and escapes, none of them cut, and no half of a pair
    rb'(?:[^"\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*+',
    re.DOTALL,
)


@structs.define(eq=False)
class JsonExcerpt:
    """`feed` takes the text; strings longer than LONGEST bytes lose what is over."""

    _kept: bytearray = attrs.field(factory=bytearray)
    _string: bytearray | None = None  # what is kept of the one that is being read
    _rest: bytes = b""  # half of an escape
    _is_too_much: bool = False

    def feed(self, data: bytes) -> None:
        data, self._rest, at = self._rest + data, b"", 0
        while at < len(data) and not self._is_too_much:
            at = self._outside(data, at) if self._string is None else self._within(data, at)
        self._is_too_much = self._is_too_much or len(self._kept) > _MOST

    def _outside(self, data: bytes, at: int) -> int:
        quote = data.find(b'"', at)
        end = len(data) if quote < 0 else quote + 1
        self._kept += data[at:end]
        if quote >= 0:
            self._string = bytearray()
        return end

    def _within(self, data: bytes, at: int) -> int:
        string, found = self._string, _BODY.match(data, at)
        assert string is not None and found is not None  # noqa: PT018 - it matches nothing, too
        end = found.end()
        string += data[at : min(end, at + LONGEST + 1 - len(string))]
        if end == len(data):
            return end
        if data[end : end + 1] == b"\\":  # its other half is in the next piece
            self._rest = data[end:]
            return len(data)
        self._kept += _cut(bytes(string)) + b'"'
        self._string = None
        return end + 1

    def fields(self) -> dict[str, Any]:
        """The object, once all was fed. Raises ValueError or RecursionError for a text that is none, or is still too long."""
        if self._is_too_much or self._string is not None:
            raise ValueError("too long, or not at its end")
        return msgspec.json.decode(bytes(self._kept), type=dict[str, Any])


def _cut(string: bytes) -> bytes:
    if len(string) <= LONGEST:
        return string
    whole = string[:LONGEST].decode(errors="ignore").encode()
    found = _WHOLE.match(whole)
    return whole[: found.end()] if found else b""
