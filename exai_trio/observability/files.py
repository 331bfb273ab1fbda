"""Files that only their owner may read: made with mode 0600 in directories of mode 0700."""

import errno
import os
from pathlib import Path


def private_directory(path: Path) -> Path:
    """The directory, made if it is missing, and so its parents: all for their owner alone. Raises OSError."""
    if not path.is_dir():
        if path.parent != path:
            private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


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
    """Write the whole file so that a reader sees the old or the new one. Raises OSError."""
    private_directory(path.parent)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with open(fresh, "wb", opener=_private) as file:
        file.write(data)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
