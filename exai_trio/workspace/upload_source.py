"""A file opened once to be handed on: what is checked, hashed and sent are the same bytes.

Blocking: for threads only.
"""

import hashlib
import os
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.workspace import safe_open
from exai_trio.workspace.path_policy import shown
from exai_trio.workspace.sendable import Access, Watch

_PIECE = 1024 * 1024  # bytes; between two of them a cancelled caller is noticed


@structs.frozen(kw_only=True)
class Opened:
    """`file` stands at its beginning; whoever got it closes it."""

    path: Path
    file: BufferedReader = attrs.field(repr=False)
    size: int
    sha256: str


def open_hashed(given: str, access: Access, most: int) -> Opened:
    """Raises: ArgumentError (also for an empty file, one of more than `most` bytes, or a secret), NotFoundError."""
    resolved = access.resolve(given)
    access.check_name(given, resolved)
    watch = Watch(access, given, resolved)
    file = safe_open.regular(resolved)
    with ExitStack() as otherwise:
        otherwise.enter_context(file)
        size = os.fstat(file.fileno()).st_size
        _check_size(size, most, shown(given))
        digest = hashlib.sha256()
        while piece := file.read(_PIECE):
            trio.from_thread.check_cancelled()
            watch.check(piece)
            digest.update(piece)
        file.seek(0)
        otherwise.pop_all()
    return Opened(path=resolved, file=file, size=size, sha256=digest.hexdigest())


def _check_size(size: int, most: int, name: str) -> None:
    if not 0 < size <= most:
        raise ArgumentError(
            f"{name!r} has {size:,} bytes; files of 1 to {most:,} bytes are taken.",
            details={"path": name, "value": size},
        )


def check(given: str, access: Access) -> None:
    """What handing it on would refuse; of a large file the beginning is looked at. Raises: ArgumentError, NotFoundError."""
    resolved = access.resolve(given)
    access.check_name(given, resolved)
    access.check_content(given, resolved, safe_open.content(resolved, _PIECE))
