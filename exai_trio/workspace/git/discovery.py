"""Where the repository of a directory is, as git looks for it.

Nothing found here is trusted: `ownership` judges it. Blocking: for threads only.
"""

import os
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import ArgumentError

_MOST_BYTES = 8 * 1024  # of a file that holds one path


@structs.frozen(kw_only=True)
class Found:
    """`top` is the work tree; `git_dir` has its HEAD and index, `common_dir` the refs, objects and configuration. Without links."""

    top: Path
    git_dir: Path
    common_dir: Path

    @property
    def is_further_tree(self) -> bool:
        """A work tree that `git worktree` has made beside the first."""
        return self.git_dir != self.common_dir

    @property
    def objects(self) -> Path:
        return Path(os.path.realpath(self.common_dir / "objects"))


def find(directory: Path) -> Found | None:
    """The repository that the directory lies in, not looking beyond its own file system. Raises: ArgumentError for a broken `.git`."""
    try:
        device = directory.stat().st_dev
        for place in (directory, *directory.parents):
            if place.stat().st_dev != device:
                return None
            found = at(place)
            if found is not None:
                return found
    except (OSError, ValueError) as fault:
        raise ArgumentError(f"its .git cannot be read: {fault}") from fault
    return None


def at(place: Path) -> Found | None:
    """The repository whose `.git` lies here. Raises: ArgumentError, OSError, ValueError."""
    entry = place / ".git"
    git_dir = entry
    if entry.is_file():
        git_dir = place / _path_in(entry, "gitdir: ")
    elif not entry.is_dir():
        return None
    real = Path(os.path.realpath(git_dir))
    found = Found(top=place, git_dir=real, common_dir=_common(real))
    if _is_repository(found):
        return found
    if entry.is_file():
        raise ArgumentError(f"its .git leads to {str(git_dir)[:200]!r}, which is no repository")
    return None


def _common(git_dir: Path) -> Path:
    pointer = git_dir / "commondir"
    if not pointer.is_file():
        return git_dir
    return Path(os.path.realpath(git_dir / _path_in(pointer)))


def _is_repository(found: Found) -> bool:
    parts = (found.common_dir / "objects", found.common_dir / "refs")
    return os.path.lexists(found.git_dir / "HEAD") and all(part.is_dir() for part in parts)


def path_named_in(pointer: Path) -> Path | None:
    """The path that such a file holds, relative ones from where it lies; without links. None if there is no such file."""
    try:
        if not pointer.is_file():
            return None
        return Path(os.path.realpath(pointer.parent / _path_in(pointer)))
    except (OSError, ValueError, ArgumentError):
        # audit: empty-handler, because None is the answer: no such path
        return None


def _path_in(pointer: Path, prefix: str = "") -> str:
    with pointer.open("rb") as opened:
        text = os.fsdecode(opened.read(_MOST_BYTES)).rstrip("\r\n")
    path = text.removeprefix(prefix)
    if not text.startswith(prefix) or not path or "\0" in path:
        raise ArgumentError(f"its {pointer.name} names no place")
    return path
