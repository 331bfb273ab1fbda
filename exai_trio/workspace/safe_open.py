"""Opening one regular file inside the allowed roots: the one at the path that was checked, and no other.

A path is checked once its links are resolved, and then opened part by part, each part below the directory opened before it
and none through a link. So whatever changes meanwhile, what is read lay at that path; a path that has become another is refused.

Blocking: for threads only.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import path_policy

# NONBLOCK: a FIFO put in the file's place must not hold the thread; NOFOLLOW: nor a link.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# To pass through a directory; where that cannot be asked for alone (macOS), it must be readable too.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER


def resolve(given: str, roots: tuple[Path, ...]) -> Path:
    """The path without links and `..`, inside a root. Whether something is there stays open.

    Raises: ArgumentError.
    """
    written = _meant(given)
    try:
        resolved = Path(os.path.realpath(written))
    except (OSError, ValueError):  # a name that no file can have: nothing inside the roots
        resolved = Path("/")
    if not path_policy.is_inside(resolved, roots):
        path_policy.check_inside(given, resolved, resolved_roots(roots))
    return resolved


def _meant(given: str) -> Path:
    """A name that really ends in a blank or a quote goes before what it would be without."""
    if given.startswith("/") and given != path_policy.bare(given) and os.path.lexists(given):
        return Path(given)
    return path_policy.parse(given)


def resolved_roots(roots: Iterable[Path]) -> tuple[Path, ...]:
    """The roots without links and `..`; those that can be no path are missing."""
    found: list[Path] = []
    for root in roots:
        with suppress(OSError, ValueError):
            # audit: suppress, because what can be no path is no root
            found.append(Path(os.path.realpath(root)))
    return tuple(found)


def is_directory(resolved: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(resolved).st_mode)
    except OSError:  # audit: empty-handler, because what is not there is no directory
        return False


def content(resolved: Path, most: int) -> bytes:
    """The first `most` bytes of the regular file at a path that `resolve` gave.

    Raises: NotFoundError, ArgumentError.
    """
    with os.fdopen(_open_regular(resolved), "rb") as opened:
        size = os.fstat(
            opened.fileno()
        ).st_size  # room for `most` takes longer to get than a source to read
        try:
            return opened.read(min(most, size) if size else most)
        except OSError as fault:
            raise _refusal(fault, path_policy.shown(str(resolved))) from fault


def regular(resolved: Path) -> BufferedReader:
    """The regular file itself, for the caller to close. Raises as `content` does."""
    return os.fdopen(_open_regular(resolved), "rb")


@contextmanager
def directory(resolved: Path) -> Generator[int]:
    """A descriptor of the directory at a path that `resolve` gave, to list it and to open what is in it. Raises: OSError."""
    with _directory_above(resolved) as above:
        descriptor = os.open(_name(resolved), os.O_RDONLY | _FOLDER, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_regular(resolved: Path) -> int:
    """A descriptor for the caller to close.

    Raises: NotFoundError, ArgumentError (no regular file, not permitted, or swapped while we looked).
    """
    shown = path_policy.shown(str(resolved))
    try:
        with _directory_above(resolved) as above:
            # Looked at before it is opened: opening some devices already does something.
            found = os.stat(_name(resolved), dir_fd=above, follow_symlinks=False)
            _check_regular(found, shown)
            descriptor = os.open(_name(resolved), _FLAGS, dir_fd=above)
    except OSError as fault:
        raise _refusal(fault, shown) from fault
    with ExitStack() as otherwise:
        otherwise.callback(os.close, descriptor)
        _check_regular(os.fstat(descriptor), shown)
        otherwise.pop_all()
    return descriptor


@contextmanager
def _directory_above(resolved: Path) -> Generator[int]:
    """A descriptor of the directory that holds the path. Raises: OSError, ELOOP if a part of it has become a link."""
    here = os.open("/", _PASS)
    try:
        for part in resolved.parts[1:-1]:
            below = _step(here, part)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _step(here: int, part: str) -> int:
    try:
        return os.open(part, _PASS, dir_fd=here)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise


def _name(resolved: Path) -> str:
    return resolved.name or "."


def _check_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ArgumentError(
            f"{name!r} is a {_kind(found.st_mode)}; only regular files are read.",
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
    if fault.errno == errno.ELOOP:
        reason = "a link has taken the place of a part of its path; try again"
    else:
        reason = os.strerror(fault.errno) if fault.errno else str(fault)
    return ArgumentError(f"{name!r} cannot be read: {reason}.", details={"path": name})
