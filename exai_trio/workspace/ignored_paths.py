"""Which paths of a folder are left out: git is asked where it is there, else the library.

Blocking: for threads only.
"""

import logging
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from exai_trio import structs
from exai_trio.errors import ArgumentError, ToolFailedError
from exai_trio.workspace.git import command, ignored, view
from exai_trio.workspace.git.command import TooSlowGit
from exai_trio.workspace.git.ignored import Git
from exai_trio.workspace.git.view import View
from exai_trio.workspace.gitignore_library import Library

log = logging.getLogger("exai.files")


class Ignoring(Protocol):
    """The rules that hold in a folder."""

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Those of the paths that are left out, if the directories that they lie in are not."""
        ...

    def end_at(self, folder: str) -> bool:
        """Whether other rules hold in this directory below."""
        ...


@structs.define(eq=False)
class _Asked:
    """Git's own answers; the library's from where git fails, which a git that takes too long does not count as."""

    git: Git
    instead: Callable[[], Library]
    _library: Library | None = None

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Raises: TooSlowGit."""
        if self._library is not None:
            return self._library.ignored(paths)
        try:
            return self.git.ignored(paths)
        except TooSlowGit:
            raise
        except ToolFailedError as fault:
            log.warning("git cannot be asked any more", extra={"fault": str(fault)})
            self._library = self.instead()
            return self._library.ignored(paths)

    def end_at(self, folder: str) -> bool:
        return os.path.lexists(f"{folder}/.git")


@contextmanager
def rules(folder: Path, roots: tuple[Path, ...]) -> Generator[Ignoring]:
    """The rules that hold in the folder: its repository's, or those of the root that it lies in. Leaving ends the git that is asked.

    A folder that is itself left out was asked for by name: then only what it says itself counts.
    """
    instead = partial(_library, folder, roots)
    with ExitStack() as kept:
        git = _git(folder, roots, kept) if command.program() else None
        yield instead() if git is None else _Asked(git, instead)


def _library(folder: Path, roots: tuple[Path, ...]) -> Library:
    library = Library(_top(folder, roots), roots)
    return Library(folder, roots) if library.ignored([str(folder)]) else library


def _top(folder: Path, roots: tuple[Path, ...]) -> Path:
    """The outermost root that the folder lies in."""
    around = [root for root in roots if folder.is_relative_to(root)]
    return min(around, key=lambda root: len(root.parts), default=folder)


def _git(folder: Path, roots: tuple[Path, ...], kept: ExitStack) -> Git | None:
    """A git to ask; None, and a word in the log, if it cannot be started for this folder. Raises: TooSlowGit."""
    try:
        at = kept.enter_context(view.place())
        shown = _repository(folder, roots, at) or view.of_folder(_top(folder, roots), at)
        git = kept.enter_context(ignored.asked(shown, folder))
        if folder == shown.top or not git.ignored([str(folder)]):
            return git
        return kept.enter_context(ignored.asked(view.of_folder(folder, at), folder))
    except TooSlowGit:
        raise
    except (ToolFailedError, OSError) as fault:
        log.warning("git cannot be asked", extra={"fault": str(fault)})
        return None


def _repository(folder: Path, roots: tuple[Path, ...], at: Path) -> View | None:
    try:
        return view.of_repository(folder, roots, at, objects=False)
    except ArgumentError as fault:
        log.info("a repository is not read", extra={"fault": str(fault)})
        return None
