"""Asking git which paths it leaves out: every rule of its own, from every file that it reads rules from.

Blocking: for threads only.
"""

import os
import subprocess
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from exai_trio import structs
from exai_trio.errors import ToolFailedError
from exai_trio.workspace.git import command
from exai_trio.workspace.git.view import View

_AT_ONCE = 8 * 1024  # bytes: what every pipe takes while nobody reads it
_PIECE = 64 * 1024
_MOST_TRACKED_BYTES = 32 * 1024 * 1024
_FIELDS, _RULE = 4, 2  # of an answer: file of the rule, its line, the rule, the path


@structs.define(eq=False)
class Git:
    """A git that is asked about paths in its work tree for as long as it is kept open."""

    view: View
    folder: Path
    _process: subprocess.Popen[bytes]

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths, absolute and without links, that git leaves out. Raises: ToolFailedError if git has died."""
        found = {path for batch in _batches(paths) for path in self._matched(batch)}
        return found - self._tracked if found else found

    def _matched(self, paths: Sequence[str]) -> list[str]:
        top = str(self.view.top).rstrip("/")
        asked = b"".join(b"." + os.fsencode(path[len(top) :]) + b"\0" for path in paths)
        assert self._process.stdin is not None
        try:
            os.write(self._process.stdin.fileno(), asked)
        except OSError as fault:
            raise self._dead() from fault
        return [path for path, rule in zip(paths, self._rules(len(paths)), strict=True) if rule]

    def _rules(self, count: int) -> list[bool]:
        """For each path asked about, whether a rule leaves it out. Of a rule only the first byte is kept: it may be long."""
        assert self._process.stdout is not None
        verdicts: list[bool] = []
        field, begun = 0, b""
        while field < count * _FIELDS:
            piece = os.read(self._process.stdout.fileno(), _PIECE)
            if not piece:
                raise self._dead()
            *ended, rest = piece.split(b"\0")
            for part in ended:
                if field % _FIELDS == _RULE:
                    verdicts.append((begun or part[:1]) not in {b"", b"!"})
                field, begun = field + 1, b""
            begun = begun or rest[:1]
        return verdicts

    def _dead(self) -> ToolFailedError:
        return command.failed("check-ignore", b"it ended early", self._process.wait())

    @cached_property
    def _tracked(self) -> set[str]:
        """What rules would leave out if it were not tracked, and the directories that hold it."""
        if not self.view.has_index:
            return set()
        words = ("ls-files", "-z", "--cached", "--ignored", "--exclude-standard", "--full-name")
        environ = {**self.view.environ, "GIT_LITERAL_PATHSPECS": "1"}
        try:
            listed = command.said(self.folder, (*words, "--", "."), environ, _MOST_TRACKED_BYTES)
        except ToolFailedError:  # then the rules alone hold
            # audit: empty-handler, because then the rules alone hold
            return set()
        found: set[str] = set()
        for name in listed.split(b"\0")[:-1]:
            path = self.view.top / os.fsdecode(name)
            found |= {str(path), *map(str, path.parents)}
        return found


@contextmanager
def asked(view: View, folder: Path) -> Generator[Git]:
    """A git to ask about the folder. Leaving ends it. Raises: OSError, ServiceUnavailableError."""
    words = ("check-ignore", "--no-index", "--stdin", "-z", "--verbose", "--non-matching")
    with command.running(view.top, words, view.environ, subprocess.DEVNULL) as process:
        yield Git(view, folder, process)


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    """In pieces of which git can read each before anybody reads its answers."""
    batch: list[str] = []
    size = 0
    for path in paths:
        length = len(os.fsencode(path)) + 2
        if batch and size + length > _AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += length
    if batch:
        yield batch
