"""The files of large results: written whole under a name of their own, read in pieces, removed. Everything here blocks.

A file has its name only once it is whole: until then it ends in `.new`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from exai_trio import structs
from exai_trio.storage.contracts.stored_payloads import StoredPayload, StoredPiece
from exai_trio.system.private_files import open_at_once, private_directory
from exai_trio.wire.payload_frames import PIECE_BYTES

from .pieces import GZIP, PLAIN, described, pack, plain_pieces, unpack, worth_compressing

_UNFINISHED: Final = ".new"


@structs.frozen(kw_only=True)
class Format:
    """How results are stored. `flushes`: they are on the disk, over a power loss, before they have their name."""

    compression: str = GZIP
    checksums: bool = True
    flushes: bool = False


@structs.frozen(kw_only=True)
class Written:
    """A file that is whole."""

    size: int
    stored: int
    compression: str
    pieces: tuple[StoredPiece, ...]


def path_of(folder: Path, transaction_id: str) -> Path:
    return folder / transaction_id.removeprefix("txn_")[:2] / transaction_id


def write(path: Path, text: str, how: Format, step: Callable[[], None]) -> Written:
    """Write the text; `step` is called before each piece, and may raise. Raises OSError; whatever is raised, nothing is left lying."""
    with ExitStack() as otherwise:
        file = begin(path, otherwise)
        written = _write_pieces(file.fileno(), text, how, step)
        if how.flushes:
            os.fsync(file.fileno())
        name(file, path)
        otherwise.pop_all()
    return written


def begin(path: Path, otherwise: ExitStack) -> BinaryIO:
    """A new file, unbuffered, which is closed and gone when `otherwise` is left. Raises OSError."""
    private_directory(path.parent)
    unfinished = path.with_name(path.name + _UNFINISHED)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    otherwise.callback(unfinished.unlink, missing_ok=True)
    return otherwise.enter_context(os.fdopen(descriptor, "wb", buffering=0))


def name(file: BinaryIO, path: Path) -> None:
    """It is whole. Raises OSError."""
    file.close()
    path.with_name(path.name + _UNFINISHED).rename(path)


def _write_pieces(descriptor: int, text: str, how: Format, step: Callable[[], None]) -> Written:
    size, compression = 0, how.compression
    pieces: list[StoredPiece] = []
    for plain in plain_pieces(text):
        step()
        if not pieces and compression == GZIP and not worth_compressing(plain):
            compression = PLAIN
        packed = pack(plain, compression)
        write_all(descriptor, packed)
        pieces.append(described(packed, checksums=how.checksums))
        size += len(plain)
    return Written(
        size=size,
        stored=sum(piece.length for piece in pieces),
        compression=compression,
        pieces=tuple(pieces),
    )


def write_all(descriptor: int, data: bytes) -> None:
    """Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def read(folder: Path, payload: StoredPayload, offset: int) -> bytes:
    """What the piece in which `offset` lies has from there on. Raises OSError, PayloadDamagedError."""
    number, begin = divmod(offset, PIECE_BYTES)
    with open_at_once(path_of(folder, payload.transaction_id)) as file:
        file.seek(sum(piece.length for piece in payload.pieces[:number]))
        packed = file.read(payload.pieces[number].length)
    return unpack(packed, payload, number)[begin:]


def read_all(folder: Path, payload: StoredPayload) -> Iterator[bytes]:
    """All pieces in order. Raises OSError, PayloadDamagedError."""
    for offset in range(0, payload.size_bytes, PIECE_BYTES):
        yield read(folder, payload, offset)


def remove(folder: Path, transaction_ids: tuple[str, ...]) -> None:
    """What there is of them. Raises OSError."""
    for transaction_id in transaction_ids:
        path = path_of(folder, transaction_id)
        path.unlink(missing_ok=True)
        path.with_name(path.name + _UNFINISHED).unlink(missing_ok=True)


def stored_names(folder: Path) -> tuple[str, ...]:
    """The transactions of which there is a file, whole or not."""
    found = {path.name.removesuffix(_UNFINISHED) for path in folder.glob("??/txn_*")}
    return tuple(sorted(found))
