"""Reading a repository with git, whose configuration and files are not trusted: no hooks, pagers, filters or outside programs.

Reads only. What git prints is bounded; its faults become ours.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio

from exai_trio import structs
from exai_trio.errors import ArgumentError, ServiceUnavailableError, ToolFailedError

MOST_BYTES = 400_000  # of one command's output; about 130,000 tokens
GIT_S = 20.0
_CHUNK = 65_536

# Nothing of the user's or the machine's configuration, no prompts, no locks, no lazy fetching from a remote.
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
}
_SETTINGS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    f"core.attributesFile={os.devnull}",
    "core.quotePath=false",
    "diff.external=",
    "protocol.allow=never",
)
_DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty", "--relative",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
_PROGRAM = re.compile(r"^filter\.(.+)\.(clean|smudge|process)$", re.DOTALL)
# A name of a commit that cannot be read as an option or a range.
_REVISION = re.compile(r"[\w@][\w./@^~{}+-]{0,199}")


@structs.frozen(kw_only=True)
class Printed:
    """What a command printed; `cut` if that was only the beginning."""

    text: str
    cut: bool = False


@structs.frozen
class Repository:
    """A work tree as seen from a directory in it; nothing outside the directory is shown. `silenced` are its own filters, off."""

    directory: Path
    silenced: tuple[str, ...] = ()

    async def status(self) -> Printed:
        return await self._run("status", "--porcelain=v1", "--branch", "--untracked-files=all",
            "--ignore-submodules=dirty", "--", ".")  # fmt: skip

    async def staged(self) -> Printed:
        return await self._run(*_DIFF, "--cached", "--", ".")

    async def unstaged(self) -> Printed:
        return await self._run(*_DIFF, "--", ".")

    async def against(self, revision: str) -> Printed:
        """From that commit to HEAD. Raises: ArgumentError if it names no commit."""
        commit = await self._commit(revision)
        return await self._run(*_DIFF, commit, "HEAD", "--", ".")

    async def _commit(self, revision: str) -> str:
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise _no_commit(revision)
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        try:
            return (await self._run(*asked)).text.strip()
        except ToolFailedError as fault:
            raise _no_commit(revision) from fault

    async def _run(self, *words: str) -> Printed:
        return await _git(self.directory, self.silenced, words)


async def open_repository(directory: Path, roots: tuple[Path, ...]) -> Repository:
    """Raises: ArgumentError if the directory is in no work tree, or its repository is another's; ServiceUnavailableError."""
    try:
        asked = await _git(directory, (), ("rev-parse", "--show-toplevel", "--absolute-git-dir"))
    except ToolFailedError as fault:
        raise _no_work_tree(directory, fault.message) from fault
    top, _, store = asked.text.rstrip("\n").partition("\n")
    if not await trio.to_thread.run_sync(_belongs_to, Path(top), Path(store), roots):
        raise _no_work_tree(directory, "its .git leads to a repository outside the allowed roots")
    return Repository(directory, await _filters(directory))


def _belongs_to(top: Path, store: Path, roots: tuple[Path, ...]) -> bool:
    """Whether the repository is this work tree's own: a `.git` can lead anywhere, and what is there would be shown."""
    real, own = Path(os.path.realpath(store)), top / ".git"
    if any(real.is_relative_to(root) for root in roots) or real == own:
        return True
    try:  # a further work tree: its repository names it in turn
        named = (real / "gitdir").read_text("utf-8").strip()
    except (OSError, ValueError):
        return False
    return os.path.realpath(named) == str(own)


async def _filters(directory: Path) -> tuple[str, ...]:
    """Settings that switch off the programs which the repository wants run over its files."""
    listed = await _git(directory, (), ("config", "--list", "--name-only", "-z"))
    names = [name for name in listed.text.split("\0") if _PROGRAM.match(name)]
    required = {
        f"filter.{name.split('.', 1)[1].rpartition('.')[0]}.required=false" for name in names
    }
    return (*(f"{name}=" for name in names), *sorted(required))


def _no_work_tree(directory: Path, why: str) -> ArgumentError:
    return ArgumentError(
        f"path: {str(directory)[:200]!r} is in no git work tree that can be read: {why}",
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


def _program() -> str:
    program = shutil.which("git")
    if program is None:
        raise ServiceUnavailableError("git is not installed where EXAI runs; precommit needs it.")
    return program


async def _git(directory: Path, settings: Sequence[str], words: Sequence[str]) -> Printed:
    """Raises: ToolFailedError with what git said; ServiceUnavailableError. Cancelling ends the process."""
    options = [word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)]
    command = [
        _program(),
        "--no-pager",
        "--literal-pathspecs",
        *options,
        "-C",
        str(directory),
        *words,
    ]
    with trio.move_on_after(GIT_S) as limit:
        return await _printed(command, words[0])
    if limit.cancelled_caught:
        raise ToolFailedError(f"git {words[0]} did not end within {GIT_S:g} s.")
    raise AssertionError  # pragma: no cover


async def _printed(command: Sequence[str], name: str) -> Printed:
    out, complaints = bytearray(), bytearray()
    async with trio.open_nursery() as running:
        process: trio.Process = await running.start(
            partial(
                trio.run_process,
                command,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        )
        running.start_soon(_drain, process.stderr, complaints)
        await _drain(process.stdout, out)
    if process.returncode:
        said = complaints.decode(errors="replace").strip()[:500]
        raise ToolFailedError(f"git {name} failed: {said or process.returncode}")
    return Printed(text=out[:MOST_BYTES].decode(errors="replace"), cut=len(out) > MOST_BYTES)


async def _drain(stream: trio.abc.ReceiveStream | None, into: bytearray) -> None:
    """Read to the end, keeping a little more than may be shown."""
    if stream is None:
        return
    async with stream:
        async for piece in stream:
            if len(into) <= MOST_BYTES:
                into += piece[: MOST_BYTES + 1]
