"""Opening one regular file inside the allowed roots, safe against links that change meanwhile. Blocking: for threads only."""

import errno
import os
import stat
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.files import paths

# NONBLOCK: a FIFO put in the file's place must not hold the thread; NOFOLLOW: nor a link.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def resolve(given: str, roots: tuple[Path, ...]) -> Path:
    """The path without links and `..`, inside a root. Whether something is there stays open.

    Raises: ArgumentError.
    """
    written = paths.parse(given)
    try:
        resolved = Path(os.path.realpath(written))
    except (OSError, ValueError):  # a name that no file can have: nothing inside the roots
        resolved = Path("/")
    paths.check_inside(given, resolved, roots)
    return resolved


def is_directory(resolved: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(resolved).st_mode)
    except OSError:
        return False


def content(resolved: Path, most: int) -> bytes:
    """The first `most` bytes of the regular file at a path that `resolve` gave.

    Raises: NotFoundError, ArgumentError.
    """
    with os.fdopen(_open_regular(resolved), "rb") as opened:
        try:
            return opened.read(most)
        except OSError as fault:
            raise _refusal(fault, paths.shown(str(resolved))) from fault


def regular(resolved: Path) -> BufferedReader:
    """The regular file itself, for the caller to close. Raises as `content` does."""
    return os.fdopen(_open_regular(resolved), "rb")


def _open_regular(resolved: Path) -> int:
    """A descriptor for the caller to close.

    Raises: NotFoundError, ArgumentError (no regular file, not permitted, or swapped while we looked).
    """
    name = paths.shown(str(resolved))
    try:
        # Looked at before it is opened: opening some devices already does something.
        _check_regular(os.lstat(resolved), name)
        descriptor = os.open(resolved, _FLAGS)
    except OSError as fault:
        raise _refusal(fault, name) from fault
    with ExitStack() as otherwise:
        otherwise.callback(os.close, descriptor)
        _check_same(descriptor, resolved, name)
        otherwise.pop_all()
    return descriptor


def _check_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ArgumentError(
            f"{name!r} is a {_kind(found.st_mode)}; only regular files are read.",
            details={"path": name},
        )


def _check_same(descriptor: int, resolved: Path, name: str) -> None:
    """What was opened is still what the path means: no directory on the way has become a link, out of the roots perhaps."""
    opened = os.fstat(descriptor)
    _check_regular(opened, name)
    try:
        again = os.path.realpath(resolved)
        same = again == str(resolved) and os.path.samestat(opened, os.lstat(again))
    except OSError:
        same = False
    if not same:
        raise ArgumentError(
            f"{name!r} changed its place while it was being opened; try again.",
            details={"path": name},
        )


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "directory",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFLNK: "link",
    }
    return kinds.get(stat.S_IFMT(mode), "device")


def _refusal(fault: OSError, name: str) -> ArgumentError | NotFoundError:
    if fault.errno in {errno.ENOENT, errno.ENOTDIR}:
        return NotFoundError(f"There is no file {name!r}.", details={"path": name})
    reason = os.strerror(fault.errno) if fault.errno else str(fault)
    return ArgumentError(f"{name!r} cannot be read: {reason}.", details={"path": name})
