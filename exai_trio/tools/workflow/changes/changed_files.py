"""What has changed in a repository.

Git is asked through a view of it (`workspace.git`), so that nothing of the repository runs. Reads only. What git prints
is bounded; its faults become ours.
"""

import os
import re
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, ToolFailedError
from exai_trio.tools.workflow.changes import git_status
from exai_trio.tools.workflow.changes.diffs import Diff, Shares
from exai_trio.tools.workflow.changes.git_status import Change, Status
from exai_trio.workspace import path_policy
from exai_trio.workspace.git import command, view
from exai_trio.workspace.git.command import TooSlowGit
from exai_trio.workspace.git.view import View

MOST_BYTES = 400_000  # of one diff; about 130,000 tokens
_MOST_LIST_BYTES = 4 * 1024 * 1024
_MOST_NAMED = 20
_LONGEST_NAME = 1_000  # characters of a name of a commit

_DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--relative",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@structs.frozen(kw_only=True)
class Repository:
    """A work tree as seen from a directory in it; nothing outside the directory is shown.

    `foreign` are submodules that lead out of the allowed roots: of the work tree then no submodule is looked at.
    Cancelling any of its methods kills the git that runs for it.
    """

    directory: Path
    view: View
    foreign: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Of the directory's paths within the work tree."""
        inside = self.directory.relative_to(self.view.top).as_posix()
        return "" if inside == "." else f"{inside}/"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of the repository is not looked at as the user's git would."""
        if not self.foreign:
            return self.view.remarks
        names = ", ".join(map(path_policy.shown, self.foreign[:_MOST_NAMED]))
        left_out = (
            f"submodules are not looked at, since these lead out of the allowed roots: {names}"
        )
        return (*self.view.remarks, left_out)

    async def status(self) -> Status:
        words = ("status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all")
        listed = _List(_MOST_LIST_BYTES)
        await self._run((*words, self._submodules, "--", "."), listed.feed)
        return git_status.parsed(os.fsdecode(bytes(listed.content)), cut=listed.cut)

    async def staged(self) -> Diff:
        return await self._diff("--ignore-submodules=none", "--cached")

    async def unstaged(self) -> Diff:
        return await self._diff(self._submodules)

    async def against(self, revision: str) -> Diff:
        """From that commit to HEAD. Raises: ArgumentError if it names no commit."""
        return await self._diff("--ignore-submodules=none", await self._commit(revision), "HEAD")

    async def filtered(self, changes: Iterable[Change]) -> dict[str, tuple[str, ...]]:
        """By the filters that are not run here, the paths of those changes that one is meant for."""
        names = [os.fsencode(change.path.removeprefix(self.prefix)) for change in changes]
        if not names or not self.view.filters:
            return {}
        listed = _List(_MOST_LIST_BYTES)
        given = b"\0".join(names) + b"\0"
        await self._run(("check-attr", "-z", "--stdin", "filter"), listed.feed, given)
        fields = os.fsdecode(bytes(listed.content)).split("\0")
        found: dict[str, tuple[str, ...]] = {}
        for path, name in zip(fields[0::3], fields[2::3], strict=False):
            if name in self.view.filters:
                found[name] = (*found.get(name, ()), path)
        return found

    @property
    def _submodules(self) -> str:
        return "--ignore-submodules=" + ("all" if self.foreign else "dirty")

    async def _diff(self, *words: str) -> Diff:
        shares = Shares(MOST_BYTES)
        await self._run((*_DIFF, *words, "--", "."), shares.feed)
        return shares.finished()

    async def _commit(self, revision: str) -> str:
        """Any name that git takes for one commit: it is no option and no range, whatever is in it."""
        if len(revision) > _LONGEST_NAME or "\0" in revision:
            raise _no_commit(revision)
        listed = _List(_MOST_LIST_BYTES)
        # What follows ":/" is a text to look for in messages, to the end.
        named = revision if revision.startswith(":/") else f"{revision}^{{commit}}"
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", named)
        try:
            await self._run(asked, listed.feed)
        except TooSlowGit:
            raise
        except ToolFailedError as fault:
            raise _no_commit(revision) from fault
        commit = listed.content.decode(errors="replace").strip()
        if not _COMMIT.fullmatch(commit):
            raise _no_commit(revision)
        return commit

    async def _run(
        self, words: Sequence[str], into: Callable[[bytes], None], given: bytes | None = None
    ) -> None:
        environ = {**self.view.environ, "GIT_LITERAL_PATHSPECS": "1"}
        await _git(command.line(self.directory, words), environ, words[0], into, given)


@asynccontextmanager
async def opened(directory: Path, roots: tuple[Path, ...]) -> AsyncGenerator[Repository]:
    """The repository that the directory lies in, for as long as it is looked at. Leaving removes what was made for that.

    Raises: ArgumentError if there is none, or it leads out of the allowed roots; ServiceUnavailableError, ToolFailedError.
    Cancelling removes it too.
    """
    command.line(directory, ())  # says at once if there is no git
    with view.place() as at:
        try:
            shown = await trio.to_thread.run_sync(view.of_repository, directory, roots, at)
        except ArgumentError as fault:
            raise _no_work_tree(directory, fault.message) from fault
        if shown is None or not directory.is_relative_to(shown.top):
            raise _no_work_tree(directory, "there is no .git in it or above it")
        yield Repository(directory=directory, view=shown)


async def without_foreign(repository: Repository, status: Status) -> tuple[Repository, Status]:
    """Both without the submodules whose repositories lead out of the allowed roots.
    Cancelling waits for the thread that looks."""
    within = [change.path for change in status.changes if change.is_submodule]
    foreign = await trio.to_thread.run_sync(partial(_foreign, repository.view, within))
    kept = tuple(change for change in status.changes if change.path not in foreign)
    return attrs.evolve(repository, foreign=foreign), attrs.evolve(status, changes=kept)


def _foreign(shown: View, within: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in within if shown.leads_out(shown.top / path))


def _no_work_tree(directory: Path, why: str) -> ArgumentError:
    return ArgumentError(
        f"path: {str(directory)[:200]!r} is in no git work tree that can be read: {why}.",
        details={"field": "path"},
    )


def _no_commit(revision: str) -> ArgumentError:
    return ArgumentError(
        f"compare_to: {revision[:80]!r} names no commit of this repository.",
        details={
            "field": "compare_to",
            "value": revision[:80],
            "allowed": "a branch, tag or commit",
        },
    )


@structs.define
class _List:
    """Keeps the beginning."""

    most: int
    content: bytearray = attrs.field(factory=bytearray)
    cut: bool = False

    def feed(self, piece: bytes) -> None:
        room = self.most - len(self.content)
        self.cut = self.cut or len(piece) > room
        self.content += piece[:room]


async def _git(
    line: Sequence[str],
    environ: dict[str, str],
    name: str,
    into: Callable[[bytes], None],
    given: bytes | None,
) -> None:
    """Raises: ToolFailedError with what git said. Cancelling ends the process."""
    with trio.move_on_after(command.MOST_S) as limit:
        await _printed(line, environ, name, into, given)
    if limit.cancelled_caught:
        raise TooSlowGit(f"git {name} did not end within {command.MOST_S:g} s.")


async def _printed(
    line: Sequence[str],
    environ: dict[str, str],
    name: str,
    into: Callable[[bytes], None],
    given: bytes | None,
) -> None:
    complaints = _List(2_000)
    async with trio.open_nursery() as running:
        process: trio.Process = await running.start(
            partial(
                trio.run_process,
                line,
                env=environ,
                stdin=subprocess.DEVNULL if given is None else given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        )
        running.start_soon(_drain, process.stderr, complaints.feed)
        await _drain(process.stdout, into)
    if process.returncode:
        raise command.failed(name, bytes(complaints.content), process.returncode)


async def _drain(stream: trio.abc.ReceiveStream | None, into: Callable[[bytes], None]) -> None:
    if stream is None:
        return
    async with stream:
        async for piece in stream:
            into(bytes(piece))
