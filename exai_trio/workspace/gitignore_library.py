"""What .gitignore files leave out, as a library reads them: for where git is missing.

A line that it cannot read costs that line. Blocking: for threads only.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import attrs

from exai_trio import structs
from exai_trio.errors import ArgumentError, NotFoundError
from exai_trio.workspace import safe_open

_NAMES = (".git/info/exclude", ".gitignore")
_MOST_BYTES = 4 * 1024 * 1024  # of one file of rules


class _Verdict(Protocol):
    @property
    def include(self) -> bool | None: ...


class _Spec(Protocol):
    def check_file(self, file: str) -> _Verdict: ...


@structs.frozen
class _Rules:
    """One file of rules: what it says holds below `base`."""

    base: str
    spec: _Spec

    def verdict(self, path: str) -> bool | None:
        """True: left out; False: named as an exception; None: not spoken of."""
        return self.spec.check_file(path[len(self.base) + 1 :]).include


@structs.define(eq=False)
class Library:
    """Answers as git would below `top`, from .gitignore files and .git/info/exclude in it."""

    top: Path
    roots: tuple[Path, ...]
    _known: dict[str, tuple[_Rules, ...]] = attrs.field(factory=dict[str, tuple[_Rules, ...]])

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths, absolute and without links, that are left out by themselves; their directories are not looked at."""
        return {path for path in paths if self._is_ignored(path)}

    def end_at(self, folder: str) -> bool:
        return False  # they are read on the way

    def _is_ignored(self, path: str) -> bool:
        """The deepest .gitignore that speaks of the path decides."""
        named = f"{path}/" if safe_open.is_directory(Path(path)) else path
        verdicts = (rules.verdict(named) for rules in reversed(self._rules(path)))
        return next((verdict for verdict in verdicts if verdict is not None), False)

    def _rules(self, path: str) -> tuple[_Rules, ...]:
        """Of all directories from the top down to the one that the path lies in; the strongest last."""
        folder = path.rpartition("/")[0]
        if folder not in self._known:
            above = self._rules(folder) if len(folder) > len(str(self.top).rstrip("/")) else ()
            read = (self._read(folder, name) for name in _NAMES)
            self._known[folder] = (*above, *(rules for rules in read if rules is not None))
        return self._known[folder]

    def _read(self, folder: str, name: str) -> _Rules | None:
        try:
            content = safe_open.content(
                safe_open.resolve(f"{folder}/{name}", self.roots), _MOST_BYTES
            )
        except (ArgumentError, NotFoundError):
            # audit: empty-handler, because None is the answer: no rules to read
            return None
        return _Rules(folder, _spec(content))


def lines_of(content: bytes) -> list[str]:
    """The lines of such a file as git splits them; a NUL ends a line for it."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    return [line.removesuffix("\r").partition("\0")[0] for line in text.split("\n")]


def _spec(content: bytes) -> _Spec:
    from pathspec import GitIgnoreSpec  # 25 ms that the shim need not wait for
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    patterns: list[GitIgnoreSpecPattern] = []
    for line in lines_of(content):
        with suppress(ValueError, re.error):  # it names nothing, for git too
            # audit: suppress, because it names nothing, for git too
            patterns.append(GitIgnoreSpecPattern(line))
    return GitIgnoreSpec(patterns)
