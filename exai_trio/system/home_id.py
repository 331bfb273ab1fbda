"""Which home a daemon serves: an id that stands in the home's lock file, by which a shim tells its own daemon from another's."""

import os
import secrets
from pathlib import Path
from typing import Final

from .private_files import AT_ONCE

HOME_LOCK: Final = "daemon.lock"
_MOST: Final = 64  # bytes


def kept_id(lock: int) -> str:
    """The id of the home whose lock this is; made, if the home has none yet. "" where it cannot be written."""
    try:
        held = os.pread(lock, _MOST, 0).decode(errors="replace").strip()
        if held:
            return held
        made = secrets.token_hex(8)
        os.pwrite(lock, f"{made}\n".encode(), 0)
    except OSError:  # audit: empty-handler, because a home that cannot be written has no id
        return ""
    return made


def read_id(lock: Path) -> str:
    """The id of the home whose lock file this is; "" if no daemon has had it yet."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | AT_ONCE | os.O_CLOEXEC)
    except OSError:  # audit: empty-handler, because a home that nobody has had has no id
        return ""
    try:
        return os.pread(descriptor, _MOST, 0).decode(errors="replace").strip()
    except OSError:  # audit: empty-handler, because what cannot be read names nothing
        return ""
    finally:
        os.close(descriptor)
