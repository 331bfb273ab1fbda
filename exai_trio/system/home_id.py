"""Which home a daemon serves: an id that stands in the home's lock file, by which a shim tells its own daemon from another's."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

HOME_LOCK: Final = "daemon.lock"
_MOST: Final = 64  # bytes


def kept_id(lock: int) -> str:
    """The id of the home whose lock this is; made, if the home has none yet. "" if the lock is open for reading only. Raises
    OSError."""
    held = os.pread(lock, _MOST, 0).decode(errors="replace").strip()
    if held or fcntl.fcntl(lock, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        return held
    made = secrets.token_hex(8)
    os.pwrite(lock, f"{made}\n".encode(), 0)
    return made


def own_id(lock: Path) -> str:
    """The id of the home whose lock file this is, made if it has none yet: for the daemon that holds it. Raises OSError."""
    opened = os.open(lock, os.O_RDWR)
    try:
        return kept_id(opened)
    finally:
        os.close(opened)


def read_id(lock: Path) -> str:
    """The id of the home whose lock file this is; "" if no daemon has had it yet, or none of ours."""
    if not (lock.is_file() and os.access(lock, os.R_OK)):
        return ""
    return lock.read_text(errors="replace")[:_MOST].strip()
