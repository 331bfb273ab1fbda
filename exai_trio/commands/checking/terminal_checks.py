"""What `exai doctor` looks at of terminals, where they are switched on."""

import os
import shlex
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from exai_trio.commands.checking.findings import Finding, Seen, State
from exai_trio.config import Config
from exai_trio.system.private_files import loose

_SOCKETS = "terminals"
_COMMANDS = {"term_command": "EXAI_TERM_COMMAND", "term_claude_command": "EXAI_TERM_CLAUDE_COMMAND"}
# The kernel's own path.
_DESCRIPTORS = "/proc/self/fd"


def terminals(seen: Seen) -> Iterator[Finding]:
    config = seen.config
    if config.terminals == "false" or seen.is_client_only:
        return
    if config.terminals == "true" and os.geteuid() == 0:
        remedy = "set EXAI_TERMINALS=root if root's terminals are meant, or run the daemon as another user"
        yield Finding.fault("EXAI_TERMINALS=true does not start a daemon of root", remedy)
    found = [*_programs(config), *_folder(config.state / _SOCKETS)]
    yield from found or [Finding.ok("terminals are switched on, and their programs are there")]


def _programs(config: Config) -> Iterator[Finding]:
    for field, variable in _COMMANDS.items():
        text: str = getattr(config, field)
        wrong = _wrong(text)
        if wrong is not None:
            state: State = "fault" if field == "term_command" else "warn"
            yield Finding(
                state=state,
                what=f"{variable}: {wrong}",
                remedy="install it, or correct the setting",
            )


def _wrong(command: str) -> str | None:
    """Why it cannot be run."""
    try:
        words = shlex.split(command)
    except ValueError as fault:
        return f"it cannot be read: {fault}"
    if words and shutil.which(words[0]) is None:
        return f"there is no program {words[0]!r}"
    return None


def _folder(folder: Path) -> Iterator[Finding]:
    if loose(folder):
        yield Finding.fault(f"others may look into {folder}", f"chmod 700 {folder}")
    dead = [path for path in sorted(folder.glob("*.sock")) if not _is_alive(path)]
    if dead:
        yield Finding.warn(
            f"{len(dead)} terminals have lost their keepers", f"restart the daemon, or rm {dead[0]}"
        )


def _is_alive(path: Path) -> bool:
    """Whether somebody listens there."""
    place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(f"{_DESCRIPTORS}/{place}/{path.name}") == 0
    finally:
        os.close(place)
