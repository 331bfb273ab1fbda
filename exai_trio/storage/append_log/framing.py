"""Records of a log, framed so that what a kill or a power cut has torn is seen. Pure: no trio, no clock, no I/O.

A record is its length, a checksum, its body. The checksum is bound to the segment, the place and the length: a record of
another file, of another place, or a row of zeros is none.
"""

import struct
from collections.abc import Iterator
from typing import Final

import xxhash

Buffer = bytes | memoryview

_HEAD: Final = struct.Struct("<IQ")
HEAD_BYTES: Final = _HEAD.size
_SPREAD: Final = 0x9E3779B97F4A7C15
_MASK: Final = 2**64 - 1


def head_of(segment: int, place: int, body: Buffer) -> bytes:
    """What stands before `body` at this place of this segment."""
    return _HEAD.pack(len(body), _checksum(segment, place, body))


def _checksum(segment: int, place: int, body: Buffer) -> int:
    seed = (segment * _SPREAD ^ (place << 32) ^ len(body)) & _MASK
    return xxhash.xxh3_64_intdigest(body, seed)


def length_of(head: Buffer) -> int:
    """How long the body is that this stands before; 0 where no head is."""
    return int(_HEAD.unpack_from(head)[0]) if len(head) >= HEAD_BYTES else 0


def body_at(segment: int, place: int, content: Buffer, begins: int = 0) -> Buffer | None:
    """The body of the record at `place`, or None if none is there that is whole. The first byte of `content` stands at `begins`."""
    start = place - begins + HEAD_BYTES
    if start > len(content):
        return None
    length, checksum = _HEAD.unpack_from(content, start - HEAD_BYTES)
    body = content[start : start + length]
    if not length or length != len(body):
        return None
    return body if checksum == _checksum(segment, place, body) else None


def records_in(segment: int, content: Buffer, begins: int = 0) -> Iterator[tuple[int, Buffer]]:
    """Places and bodies, up to the first that is not whole."""
    place = begins
    while (body := body_at(segment, place, content, begins)) is not None:
        yield place, body
        place += HEAD_BYTES + len(body)


def end_of(place: int, body: Buffer) -> int:
    """Where the next record begins."""
    return place + HEAD_BYTES + len(body)
