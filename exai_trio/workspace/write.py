"""A new file inside the allowed roots: nothing is ever overwritten, no link followed.

Blocking: for threads only.
"""

import errno
import os
import re
import secrets as random_names
from contextlib import ExitStack
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import ArgumentError
from exai_trio.workspace import safe_open, secrets
from exai_trio.workspace.path_policy import shown

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAMELESS = getattr(
    os, "O_TMPFILE", 0
)  # Linux: a file without a name, which nobody can leave behind
_UNSAFE = re.compile(r"[^\w.() -]")
_LONGEST_NAME = 120


@structs.frozen(kw_only=True)
class Place:
    """Where a file is to be written. Without a `name` it is called as its content is."""

    folder: Path
    name: str = ""


def find_place(given: str, roots: tuple[Path, ...], *, again: bool = False) -> Place:
    """A directory, or a new name in one; if it is asked for `again`, the name may be there. Raises: ArgumentError."""
    resolved = safe_open.resolve(given, roots)
    if secrets.by_name(str(resolved)) == secrets.STORE_LOOK:
        raise ArgumentError(
            f"{shown(given)!r} lies in a repository's .git; nothing is written there."
        )
    if safe_open.is_directory(resolved):
        return Place(folder=resolved)
    if resolved.exists() and not again:
        raise _taken(resolved)
    folder = safe_open.resolve(str(resolved.parent), roots)
    if not safe_open.is_directory(folder):
        raise ArgumentError(
            f"There is no directory {shown(str(folder))!r} to write to.",
            details={"path": shown(str(folder))},
        )
    return Place(folder=folder, name=resolved.name)


def write_new(place: Place, usual_name: str, content: bytes, *, again: bool = False) -> Path:
    """The path of the new file, whole or not there, also if the process is killed. What an earlier run has written is known
    by its content, if it is asked for `again`.

    Raises: ArgumentError, also if a link leads to the place by now.
    """
    path = place.folder / (place.name or safe_name(usual_name))
    try:
        with safe_open.directory(place.folder) as folder:
            if not (again and _is_there(folder, path.name, content)):
                _write(folder, path.name, content)
    except FileExistsError as fault:
        raise _taken(path) from fault
    except OSError as fault:
        reason = os.strerror(fault.errno or errno.EIO)
        raise ArgumentError(f"{shown(str(path))!r} cannot be written: {reason}.") from fault
    return path


def _is_there(folder: int, name: str, content: bytes) -> bool:
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError:  # audit: empty-handler, because what is not there is False
        return False
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        return size == len(content) and file.read(size + 1) == content


def _write(folder: int, name: str, content: bytes) -> None:
    try:
        descriptor = os.open(".", os.O_WRONLY | _NAMELESS | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError:  # not on this file system
        _write_draft(folder, name, content)
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        # audit: path, because it is the kernel's own path
        os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)


def _write_draft(folder: int, name: str, content: bytes) -> None:
    """By a draft beside it. The name is taken first, so that nothing is overwritten."""
    draft = f".exai-{random_names.token_hex(8)}.part"
    with ExitStack() as otherwise:
        descriptor = os.open(draft, _NEW, 0o600, dir_fd=folder)
        otherwise.callback(os.unlink, draft, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.close(os.open(name, _NEW, 0o600, dir_fd=folder))
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
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
