"""The files of a directory that are worth reading, in order: what git leaves out is left out, links are not followed.

Blocking: for threads only. Names are all that is gathered; each file is opened and checked by itself later.
"""

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import trio

from exai_trio import structs
from exai_trio.workspace import ignored_paths, safe_open
from exai_trio.workspace.ignored_paths import Ignoring

MOST_FILES = 1_000
_MOST_LOOKED_AT = 50_000  # entries, so that a root like / ends too
# Never sources; left out also where no .gitignore says so.
_NEVER = frozenset(
    {".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache"}
)


@structs.frozen(kw_only=True)
class Folder:
    """`files` in order of their names; `cut` if there were more than are taken."""

    files: tuple[str, ...]
    cut: bool = False


@structs.define(eq=False)
class _Walk:
    """`left` is how many entries may still be looked at."""

    roots: tuple[Path, ...]
    left: int = _MOST_LOOKED_AT

    def files(self, folder: str, rules: Ignoring) -> Generator[str]:
        waiting = [folder]
        while waiting:
            trio.from_thread.check_cancelled()
            place = waiting.pop()
            entries = _entries(place)
            self.left -= len(entries)
            if self.left < 0:
                return
            if place != folder and rules.end_at(place):
                yield from self._of_repository(place)
                continue
            files, folders = _sorted_out(entries, rules)
            yield from files
            waiting.extend(reversed(folders))

    def _of_repository(self, place: str) -> Generator[str]:
        """A repository within another has rules of its own."""
        with ignored_paths.rules(Path(place), self.roots) as rules:
            yield from self.files(place, rules)


def expand(folder: Path, roots: tuple[Path, ...]) -> Folder:
    """The files below a directory that `opening.resolve` gave. Raises: ToolFailedError if git does not say what it leaves out."""
    found: list[str] = []
    with (
        ignored_paths.rules(folder, roots) as rules,
        closing(_Walk(roots).files(str(folder), rules)) as walk,
    ):
        for path in walk:
            if len(found) == MOST_FILES:
                return Folder(files=tuple(found), cut=True)
            found.append(path)
    return Folder(files=tuple(found))


def _sorted_out(entries: list[tuple[str, bool]], rules: Ignoring) -> tuple[list[str], list[str]]:
    """The files and the directories of these that are not left out."""
    kept = [(p, is_folder) for p, is_folder in entries if p.rpartition("/")[2] not in _NEVER]
    out = rules.ignored([path for path, _ in kept])
    files = [path for path, is_folder in kept if not is_folder and path not in out]
    return files, [path for path, is_folder in kept if is_folder and path not in out]


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Files and directories by their paths, sorted, with whether each is a directory.

    Nothing of a directory that cannot be listed, or that a link leads to by now.
    """
    try:
        with safe_open.directory(Path(folder)) as opened, os.scandir(opened) as listing:
            return sorted(
                (f"{folder.rstrip('/')}/{entry.name}", entry.is_dir(follow_symlinks=False))
                for entry in listing
                if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            )
    except OSError:
        # audit: empty-handler, because a folder that cannot be read has no entries to show
        return []
