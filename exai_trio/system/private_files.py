"""Files that only their owner may read: made with mode 0600 in directories of mode 0700.

None of them may hold up who opens it.
"""

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

# A pipe in the place of a file: opening it must not wait for whoever reads or writes there.
AT_ONCE = getattr(os, "O_NONBLOCK", 0)


def private_directory(path: Path) -> Path:
    """The directory, made if it is missing, and so its parents: all for their owner alone. Raises OSError."""
    if not path.is_dir():
        if path.parent != path:
            private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def loose(path: Path, bits: int = 0o077) -> bool:
    """Whether the directory is there and lets others do what these permission bits say."""
    try:
        found = path.stat()
    except OSError:  # audit: empty-handler, because a folder that is not there is open to nobody
        return False
    return os.name == "posix" and stat.S_ISDIR(found.st_mode) and bool(found.st_mode & bits)


def tighten(path: Path, bits: int = 0o077) -> bool:
    """Take these permissions away from a directory of ours; True if it had some of them. Raises OSError."""
    if not loose(path, bits) or path.stat().st_uid != os.geteuid():
        return False
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~bits)
    return True


def append_private(path: Path, data: bytes, *, rotate_bytes: int) -> None:
    """Append all or nothing; over `rotate_bytes` the old file moves to `.1` first. Raises OSError."""
    private_directory(path.parent)
    if path.exists() and path.stat().st_size > rotate_bytes:
        path.replace(path.with_name(path.name + ".1"))
    with open(path, "ab", buffering=0, opener=_private) as file:
        append_whole(file.fileno(), data)


def append_whole(descriptor: int, data: bytes) -> None:
    """Append all of it to a file opened for appending or, where the disk has no room for it, nothing. Raises OSError.

    A piece that was written is cut off again, unless another process has appended to it by then.
    """
    written = os.write(descriptor, data)
    if written == len(data):
        return
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    if end == os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, end - written)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def replace_private(path: Path, data: bytes) -> None:
    """Write the whole file so that a reader sees the old or the new one. Raises OSError; then nothing of it is left lying."""
    private_directory(path.parent)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with ExitStack() as otherwise:
        otherwise.callback(fresh.unlink, missing_ok=True)
        with open(fresh, "wb", opener=_private) as file:
            file.write(data)
        fresh.replace(path)
        otherwise.pop_all()


def open_at_once(path: Path) -> BinaryIO:
    """A file of ours to be read, for the caller to close. Raises OSError."""
    return open(path, "rb", opener=_at_once)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | AT_ONCE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | AT_ONCE, 0o600)
