"""How any git of ours is started: its environment is made here and its settings are handed in, so that nobody else's count.

What runs programs is switched off twice: git reads no configuration but ours (`view`), and would find no helper if it did.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO

from exai_trio.errors import NotConfiguredError, ToolFailedError

MOST_S = 20.0  # that one command may take

Setting = tuple[str, str]  # section.key or section.subsection.key, value

_NOBODYS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
}
_BOLTS = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_ASKPASS": "",
    "GIT_SSH_COMMAND": "false",
}
_SETTINGS: tuple[Setting, ...] = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.attributesFile", os.devnull),
    ("core.excludesFile", os.devnull),
    ("core.quotePath", "false"),
    ("core.untrackedCache", "false"),
    ("core.splitIndex", "false"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("protocol.allow", "never"),
    ("submodule.recurse", "false"),
)
# What tells git where the user's own configuration is.
_USERS = (
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
)


class TooSlowGit(ToolFailedError):
    """It was killed when its time was over."""


def program() -> str | None:
    """The path of git; one that is found from the working directory, which may be a stranger's, is none."""
    everywhere = users_environment("PATH").get("PATH", os.defpath).split(os.pathsep)
    return shutil.which("git", path=os.pathsep.join(filter(os.path.isabs, everywhere)))


def users_environment(*names: str) -> dict[str, str]:
    """Variables of the daemon's own environment, as git would be given them."""
    # audit: environment, because git needs what a user's own git would get
    environ = os.environ  # noqa: TID251  # git's variables, not settings of ours
    return {name: environ[name] for name in names or _USERS if name in environ}


def environment(settings: Iterable[Setting], places: Mapping[str, str]) -> dict[str, str]:
    """For a git that knows these settings, beside those that are always on, and no configuration of user or machine."""
    return {**_BOLTS, **_NOBODYS, **places, **_handed_in([*_SETTINGS, *settings])}


def environment_of_user(places: Mapping[str, str]) -> dict[str, str]:
    """For a git that reads the user's configuration: only to list it."""
    return {**_BOLTS, **users_environment(), **places}


def _handed_in(settings: Sequence[Setting]) -> dict[str, str]:
    """Not by `-c`, which ends a name at its first "="."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def line(directory: Path, words: Sequence[str]) -> list[str]:
    """Raises: NotConfiguredError without git."""
    found = program()
    if found is None:
        raise NotConfiguredError("git is not installed where EXAI runs; precommit needs it.")
    return [found, "--no-pager", "-C", str(directory), *words]


def said(
    directory: Path,
    words: Sequence[str],
    environ: Mapping[str, str],
    most: int,
    *,
    beginning: bool = False,
) -> bytes:
    """All that git prints, or only the beginning of it. Blocking: for threads only.

    Raises: ToolFailedError with what git complained of, or if it takes too long, or if all is more than `most` bytes.
    """
    with (
        tempfile.TemporaryFile() as complaints,
        running(directory, words, environ, complaints) as process,
    ):
        assert process.stdout is not None
        printed = process.stdout.read(most + 1)
        if len(printed) > most and beginning:
            return printed[:most]
        if len(printed) > most:
            raise ToolFailedError(f"git {words[0]} prints more than {most:,} bytes.")
        code = process.wait()
        complaints.seek(0)
        if code:
            raise failed(words[0], complaints.read(2_000), code)
        return printed


@contextmanager
def running(
    directory: Path, words: Sequence[str], environ: Mapping[str, str], complaints: IO[bytes] | int
) -> Generator[subprocess.Popen[bytes]]:
    """A git to talk with; it is killed after `MOST_S`, and on leaving. Raises: OSError, NotConfiguredError."""
    with subprocess.Popen(  # noqa: S603 - git, with arguments of our own
        line(directory, words),
        env=dict(environ),
        stdin=subprocess.PIPE if "--stdin" in words else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
    ) as process:
        limit = Timer(MOST_S, process.kill)
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def failed(command: str, complaints: bytes, code: int) -> ToolFailedError:
    if code < 0:
        return TooSlowGit(f"git {command} did not end within {MOST_S:g} s.")
    text = complaints.decode(errors="replace").strip()[:500]
    return ToolFailedError(f"git {command} failed: {text or code}")
