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
    _, body = next(records_in(segment, content, begins, place), (place, None))
    return body


def records_in(
    segment: int, content: Buffer, begins: int = 0, first: int | None = None
) -> Iterator[tuple[int, Buffer]]:
    """Places and bodies, from the `first` place up to the first record that is not whole. The first byte of `content` stands at
    `begins`."""
    # One loop without calls of ours: a daemon that starts may have 200,000 to read.
    place, size, unpack = begins if first is None else first, len(content), _HEAD.unpack_from
    checksum_of, spread = xxhash.xxh3_64_intdigest, segment * _SPREAD
    start = place - begins + HEAD_BYTES
    while start <= size:
        length, checksum = unpack(content, start - HEAD_BYTES)
        body = content[start : start + length]
        if not length or length != len(body):
            return
        if checksum != checksum_of(body, (spread ^ (place << 32) ^ length) & _MASK):
            return
        yield place, body
        place += HEAD_BYTES + length
        start += HEAD_BYTES + length


def end_of(place: int, body: Buffer) -> int:
    """Where the next record begins."""
    return place + HEAD_BYTES + len(body)
