"""A new file inside the allowed roots: nothing is ever overwritten, no link followed.

Blocking: for threads only.
"""

import errno
import os
import re
from contextlib import ExitStack
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.workspace import safe_open, secrets
from exai_trio.workspace.path_policy import shown

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSAFE = re.compile(r"[^\w.() -]")
_LONGEST_NAME = 120


@structs.frozen(kw_only=True)
class Place:
    """Where a file is to be written. Without a `name` it is called as its content is."""

    folder: Path
    name: str = ""


def find_place(given: str, roots: tuple[Path, ...]) -> Place:
    """A directory, or a new name in one. Raises: ArgumentError."""
    resolved = safe_open.resolve(given, roots)
    if secrets.by_name(str(resolved)) == secrets.STORE_LOOK:
        raise ArgumentError(
            f"{shown(given)!r} lies in a repository's .git; nothing is written there."
        )
    if safe_open.is_directory(resolved):
        return Place(folder=resolved)
    if resolved.exists():
        raise _taken(resolved)
    folder = safe_open.resolve(str(resolved.parent), roots)
    if not safe_open.is_directory(folder):
        raise ArgumentError(
            f"There is no directory {shown(str(folder))!r} to write to.",
            details={"path": shown(str(folder))},
        )
    return Place(folder=folder, name=resolved.name)


def write_new(place: Place, usual_name: str, content: bytes) -> Path:
    """The path of the new file, whole or not there. Raises: ArgumentError, also if a link leads to the place by now."""
    path = place.folder / (place.name or safe_name(usual_name))
    try:
        with safe_open.directory(place.folder) as folder:
            _write(folder, path.name, content)
    except FileExistsError as fault:
        raise _taken(path) from fault
    except OSError as fault:
        reason = os.strerror(fault.errno or errno.EIO)
        raise ArgumentError(f"{shown(str(path))!r} cannot be written: {reason}.") from fault
    return path


def _write(folder: int, name: str, content: bytes) -> None:
    descriptor = os.open(name, _FLAGS, 0o600, dir_fd=folder)
    with ExitStack() as otherwise:
        otherwise.callback(os.unlink, name, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        otherwise.pop_all()


def safe_name(name: str) -> str:
    """A provider's name for a file, as one that stays in its directory."""
    plain = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    return plain[-_LONGEST_NAME:].strip() or "file"


def _taken(path: Path) -> ArgumentError:
    return ArgumentError(
        f"{shown(str(path))!r} is there already, and nothing is overwritten. Name another destination.",
        details={"path": shown(str(path))},
    )
