"""A text as pieces of its UTF-8, and each piece as it is stored. Pure: no trio, no clock, no I/O.

Every piece is compressed by itself, so that any can be read without those before it; together they are one gzip file.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import xxhash

from exai_trio.errors import PayloadDamagedError
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPiece
from exai_trio.wire.payload_frames import PIECE_BYTES

GZIP, PLAIN = "gzip", "none"
_SLICE: Final = PIECE_BYTES  # characters that are encoded at a time
_LEVEL: Final = 1
_GZIP_BITS: Final = 31
_WORTH_IT: Final = 0.9  # of the first piece; what shrinks less is stored as it is


def byte_length(text: str) -> int:
    """Of its UTF-8; half characters, which cannot be stored, count as whole ones."""
    starts = range(0, len(text), _SLICE)
    return sum(len(text[start : start + _SLICE].encode(errors="surrogatepass")) for start in starts)


def plain_pieces(text: str) -> Iterator[bytes]:
    """PIECE_BYTES each, but for the last."""
    slices = (text[start : start + _SLICE].encode() for start in range(0, len(text), _SLICE))
    return slices if text.isascii() else _regrouped(slices)


def _regrouped(slices: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for one in slices:
        held += one
        while len(held) >= PIECE_BYTES:
            yield bytes(memoryview(held)[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)


def sha256_of(text: str, step: Callable[[], None]) -> str:
    """Of its UTF-8; `step` is called before each part, and may raise."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _SLICE):
        step()
        digest.update(text[start : start + _SLICE].encode(errors="surrogatepass"))
    return digest.hexdigest()


def worth_compressing(first: bytes) -> bool:
    return len(pack(first, GZIP)) <= _WORTH_IT * len(first)


def pack(piece: bytes, compression: str) -> bytes:
    """As it is stored."""
    if compression != GZIP:
        return piece
    from isal import isal_zlib  # the start does without it

    return isal_zlib.compress(piece, _LEVEL, _GZIP_BITS)  # pyright: ignore[reportUnknownMemberType] - its stub leaves a type out


def described(packed: bytes, *, checksums: bool) -> StoredPiece:
    return StoredPiece(len(packed), xxhash.xxh64_hexdigest(packed) if checksums else "")


def unpack(packed: bytes, payload: StoredPayload, number: int) -> bytes:
    """The plain bytes of the piece with this number. Raises PayloadDamagedError if this is not what was stored."""
    stored = payload.pieces[number]
    if len(packed) != stored.length:
        raise _damaged(payload, number)
    if stored.xxh64 and xxhash.xxh64_hexdigest(packed) != stored.xxh64:
        raise _damaged(payload, number)
    try:
        plain = _inflated(packed) if payload.compression == GZIP else packed
    except zlib.error as broken:
        raise _damaged(payload, number) from broken
    if len(plain) != min(PIECE_BYTES, payload.size_bytes - number * PIECE_BYTES):
        raise _damaged(payload, number)
    return plain


def _inflated(packed: bytes) -> bytes:
    """No more than one byte above a piece, whatever it says. Raises zlib.error."""
    reader = zlib.decompressobj(_GZIP_BITS)
    plain = reader.decompress(packed, PIECE_BYTES + 1)
    if not reader.eof:
        raise zlib.error("the piece goes on")
    return plain


def _damaged(payload: StoredPayload, number: int) -> PayloadDamagedError:
    where = f"piece {number + 1} of {len(payload.pieces)}"
    return PayloadDamagedError(
        f"the stored result {payload.transaction_id} is damaged ({where}), and no part of it that is wrong is sent;"
        " check the disk of EXAI_HOME, and send the call again under a new request_id",
        details={"transaction_id": payload.transaction_id, "piece": number},
    )
