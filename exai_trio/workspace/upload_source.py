"""A file opened once to be handed on: what is checked, hashed and sent are the same bytes.

Blocking: for threads only.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

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
    """`file` stands at its beginning; whoever got it closes it. `check` is told of each piece that is handed on, in order; what it returns
    is to be called before that, and raises ArgumentError for what looks like a secret."""

    path: Path
    file: BufferedReader = attrs.field(repr=False)
    size: int
    sha256: str
    check: Callable[[bytes], Callable[[], None]] = attrs.field(repr=False, eq=False)


def open_hashed(
    given: str, access: Access, check_size: Callable[[int, str], object], copied_up_to: int = 0
) -> Opened:
    """A file of up to so many bytes is copied while it is hashed, so that whatever becomes of it, the same is sent.

    Raises: ArgumentError (also for a secret, for a size that `check_size` refuses, and for a file that changes), NotFoundError.
    """
    resolved = access.resolve(given)
    access.check_name(given, resolved)
    file = safe_open.regular(resolved)
    with ExitStack() as otherwise:
        otherwise.enter_context(file)
        size = os.fstat(file.fileno()).st_size
        check_size(size, shown(given))
        digest = hashlib.sha256()
        copy: BinaryIO | None = None
        if size <= copied_up_to:  # without a name, for its owner alone
            copy = otherwise.enter_context(tempfile.TemporaryFile())
        read = 0
        while piece := file.read(_PIECE):
            trio.from_thread.check_cancelled()
            digest.update(piece)
            read += len(piece)
            if read > size:
                break
            if copy is not None:
                copy.write(piece)
        _check_read(read, size, shown(given))
        otherwise.pop_all()
    return Opened(
        check=Watch(access, given, resolved).check,
        path=resolved,
        file=_at_beginning(file, copy),
        size=size,
        sha256=digest.hexdigest(),
    )


def _at_beginning(file: BufferedReader, copy: BinaryIO | None) -> BufferedReader:
    """The copy in place of the file, if there is one; that one is closed."""
    chosen = file
    if copy is not None:
        copy.flush()
        chosen = os.fdopen(os.dup(copy.fileno()), "rb")
        file.close()
        copy.close()
    chosen.seek(0)
    return chosen


def _check_read(read: int, size: int, name: str) -> None:
    if read != size:
        raise ArgumentError(
            f"{name!r} has changed while it was read, so nothing was uploaded. Call again when it is at rest.",
            details={"path": name},
        )


def check(given: str, resolved: Path, access: Access) -> bytes:
    """Its beginning, if handing it on would not be refused. Raises: ArgumentError, NotFoundError."""
    access.check_name(given, resolved)
    beginning = safe_open.content(resolved, _PIECE)
    access.check_content(given, resolved, beginning)
    return beginning
