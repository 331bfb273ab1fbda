"""The files of a directory that are worth reading, in order: what .gitignore names is left out, links are not followed.

Blocking: for threads only. Names are all that is gathered; each file is opened and checked by itself later.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.files import opening

MOST_FILES = 1_000
_MOST_LOOKED_AT = 50_000  # entries, so that a root like / ends too
_MOST_RULE_BYTES = 256 * 1024
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


class _Verdict(Protocol):
    @property
    def include(self) -> bool | None: ...


class _Spec(Protocol):
    def check_file(self, file: str) -> _Verdict: ...


@structs.frozen
class _Rules:
    """One .gitignore: what it says holds below its own directory, `base`."""

    base: str
    spec: _Spec

    def verdict(self, path: str) -> bool | None:
        """True: left out; False: named as an exception; None: not spoken of."""
        return self.spec.check_file(path[len(self.base) + 1 :]).include


def expand(folder: Path, roots: tuple[Path, ...]) -> Folder:
    """The files below a directory that `opening.resolve` gave."""
    found: list[str] = []
    for path in _walk(str(folder), roots, _rules_above(folder, roots)):
        if len(found) == MOST_FILES:
            return Folder(files=tuple(found), cut=True)
        found.append(path)
    return Folder(files=tuple(found))


def _walk(folder: str, roots: tuple[Path, ...], above: tuple[_Rules, ...]) -> Iterator[str]:
    waiting = [(folder, above)]
    left = _MOST_LOOKED_AT
    while waiting:
        trio.from_thread.check_cancelled()
        place, rules = waiting.pop()
        entries = _entries(place)
        left -= len(entries)
        if left < 0:
            return
        if (f"{place}/.gitignore", False) in entries:
            rules = _with_rules_of(place, roots, rules)
        folders: list[tuple[str, tuple[_Rules, ...]]] = []
        for path, is_folder in entries:
            if is_folder:
                if path.rpartition("/")[2] not in _NEVER and not _left_out(f"{path}/", rules):
                    folders.append((path, rules))
            elif not _left_out(path, rules):
                yield path
        waiting.extend(reversed(folders))


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Files and directories by their paths, sorted, with whether each is a directory.

    Nothing of a directory that cannot be listed, or that a link leads to by now.
    """
    try:
        with opening.directory(Path(folder)) as opened, os.scandir(opened) as listing:
            return sorted(
                (f"{folder.rstrip('/')}/{entry.name}", entry.is_dir(follow_symlinks=False))
                for entry in listing
                if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            )
    except OSError:
        return []


def _left_out(path: str, rules: tuple[_Rules, ...]) -> bool:
    """The deepest .gitignore that speaks of the path decides."""
    for each in reversed(rules):
        verdict = each.verdict(path)
        if verdict is not None:
            return verdict
    return False


def _rules_above(folder: Path, roots: tuple[Path, ...]) -> tuple[_Rules, ...]:
    """The rules of the directories between the root and the folder; none if they leave out the folder itself, which was asked for."""
    rules: tuple[_Rules, ...] = ()
    inside = [parent for parent in folder.parents if any(map(parent.is_relative_to, roots))]
    for parent in reversed(inside):
        rules = _with_rules_of(str(parent), roots, rules)
    return () if _left_out(f"{folder}/", rules) else rules


def _with_rules_of(
    folder: str, roots: tuple[Path, ...], rules: tuple[_Rules, ...]
) -> tuple[_Rules, ...]:
    try:
        resolved = opening.resolve(f"{folder}/.gitignore", roots)
        content = opening.content(resolved, _MOST_RULE_BYTES)
    except (ArgumentError, NotFoundError):
        return rules
    spec = _spec(content.decode(errors="replace"))
    return rules if spec is None else (*rules, _Rules(folder, spec))


def _spec(text: str) -> _Spec | None:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # 25 ms that the shim need not wait for

    try:
        return GitIgnoreSpec.from_lines(text.splitlines())
    except ValueError:  # a pattern that git would not take either
        return None
