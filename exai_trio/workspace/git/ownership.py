"""Whether a repository is its work tree's own, and whether all of it lies where EXAI may read.

What is not is refused. A `.git`, a link, a file of alternates can lead anywhere, and what is there would be shown as
a change. Blocking: for threads only.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import trio

from exai_trio.errors import ArgumentError
from exai_trio.workspace.git import allowed_settings
from exai_trio.workspace.git.command import Setting
from exai_trio.workspace.git.discovery import Found, path_named_in
from exai_trio.workspace.path_policy import SETTING

_MOST_BYTES = 1024 * 1024  # of one list of alternates

# What is read of a repository, of its work tree's own part and of the common one; and what of that git needs to tell what is ignored.
OWN_PARTS = ("HEAD", "index", "config.worktree", "info", "logs/HEAD")
COMMON_PARTS = ("config", "info", "packed-refs", "refs", "reftable", "logs/refs", "shallow")


def names_tree(found: Found, own: Sequence[Setting]) -> bool:
    """Whether the repository says that this work tree is its own: as a further one, or by core.worktree, as a submodule's does."""
    dot_git = found.top / ".git"
    if found.git_dir == dot_git:
        return True
    if path_named_in(found.git_dir / "gitdir") == dot_git:
        return True
    return allowed_settings.worktree_named(own, found) == found.top


def check_tree(found: Found, own: Sequence[Setting]) -> None:
    """Raises: ArgumentError if the repository's files lie elsewhere than beside its `.git`."""
    named = allowed_settings.worktree_named(own, found)
    if named is not None and named != found.top:
        raise ArgumentError(
            f"its core.worktree is {str(named)[:200]!r}, not the directory that its .git lies in"
        )


def allowed_places(found: Found, roots: tuple[Path, ...], *, owned: bool) -> tuple[Path, ...]:
    """Where anything of the repository may lie. Raises: ArgumentError if its directories lie elsewhere.

    A common directory outside the roots counts if the work tree's own part is where `git worktree` puts it.
    """
    places = (*roots, found.git_dir) if owned else roots
    if not _within(found.git_dir, places):
        raise _outside("its .git leads to", found.git_dir)
    if found.git_dir.parent == found.common_dir / "worktrees" and owned:
        return (*places, found.common_dir)
    if not _within(found.common_dir, places):
        raise _outside("its commondir leads to", found.common_dir)
    return places


def check_parts(found: Found, places: tuple[Path, ...], *, objects: bool) -> None:
    """Raises: ArgumentError if a link in what git will read leads elsewhere, or something there is no file."""
    parts = [found.git_dir / name for name in OWN_PARTS]
    parts += [found.common_dir / name for name in COMMON_PARTS]
    parts += found.git_dir.glob("sharedindex.*")
    _check_links(parts, places)
    if objects:
        _check_objects(found.common_dir / "objects", places)


def _check_objects(first: Path, places: tuple[Path, ...]) -> None:
    """The directory, and those that it borrows from."""
    waiting, seen = [first], set[str]()
    while waiting:
        objects = Path(os.path.realpath(waiting.pop()))
        if str(objects) in seen:
            continue
        seen.add(str(objects))
        if not _within(objects, places):
            raise _outside("its objects are borrowed from", objects)
        _check_links([objects], places)
        waiting += _alternates(objects)


def _alternates(objects: Path) -> list[Path]:
    try:
        with (objects / "info" / "alternates").open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        # audit: empty-handler, because most repositories have no such file
        return []
    lines = [line for line in text.split(b"\n") if line and not line.startswith(b"#")]
    if len(text) > _MOST_BYTES or any(line.startswith(b'"') or b"\0" in line for line in lines):
        raise ArgumentError("its objects/info/alternates cannot be read")
    return [objects / os.fsdecode(line) for line in lines]


def _check_links(parts: Iterable[Path], places: tuple[Path, ...]) -> None:
    waiting, seen = [str(part) for part in parts], set[str]()
    while waiting:
        trio.from_thread.check_cancelled()
        path = waiting.pop()
        real = os.path.realpath(path)
        if real in seen or not os.path.lexists(path):
            continue
        seen.add(real)
        if not _within(Path(real), places):
            raise _outside(f"its {Path(path).name} leads to", Path(real))
        if os.path.isdir(real):  # noqa: PTH112  # strings: there can be many
            waiting += _worth_a_look(real)
        elif not os.path.isfile(real) and os.path.exists(real):  # noqa: PTH110, PTH113 - as above
            raise ArgumentError(f"its {Path(path).name} is no regular file")


def _worth_a_look(directory: str) -> list[str]:
    """Directories, links and what is no file: the files themselves are where they are."""
    with os.scandir(directory) as entries:
        return [entry.path for entry in entries if not entry.is_file(follow_symlinks=False)]


def _within(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _outside(what: str, path: Path) -> ArgumentError:
    return ArgumentError(
        f"{what} {str(path)[:200]!r}, a repository outside the allowed roots. If it is yours, name it in {SETTING} too"
    )
