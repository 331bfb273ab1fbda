"""What becomes of a damaged file: it is kept beside its successor for whoever can read it.

No database here.
"""

from contextlib import suppress
from itertools import count
from pathlib import Path


def marker(path: Path) -> Path:
    """Exists when damage was found while the file was in use; then the next start puts it aside."""
    return path.with_name(f"{path.name}.damaged")


def note(path: Path) -> None:
    with suppress(OSError):
        # audit: suppress, because without the mark the file is looked at once more
        marker(path).touch(mode=0o600)


def put_aside(path: Path) -> Path:
    """Rename the file, and the log files that belong to it. Returns its new name. Raises OSError."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    target = next(name for name in names if not name.exists())
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            # audit: suppress, because a log file that is not there need not be moved
            path.with_name(path.name + ending).rename(target.with_name(target.name + ending))
    marker(path).unlink(missing_ok=True)
    return target
