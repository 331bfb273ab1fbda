"""What a new terminal session runs, where, and with which variables. Blocks on the disk."""

import os
import pwd
import shlex
import shutil
from pathlib import Path
from typing import Final

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.wire.terminal_errors import TerminalError
from exai_trio.wire.terminal_messages import SessionType

_TERM: Final = "xterm-256color"
_COLOURS: Final = "truecolor"
_LANG: Final = "C.UTF-8"  # a login shell sets its own
# By it a program knows that it runs in a terminal of ours.
_MARK: Final = "EXAI_TERM"  # audit: undeclared-setting, because it is no setting

# Every Unix has it.
_SHELL: Final = "/bin/sh"
_SETTINGS: Final = {"system": "EXAI_TERM_COMMAND", "claude": "EXAI_TERM_CLAUDE_COMMAND"}


@structs.frozen(kw_only=True)
class Choice:
    """`words` are the program's, the first is what it is told to be called."""

    file: str
    words: list[str]
    folder: str
    variables: dict[str, str]


def chosen(
    config: Config, type_: SessionType, command: list[str], folder: str | None, session_id: str
) -> Choice:
    """Raises TerminalError: no such program, or no folder that may be used."""
    user = pwd.getpwuid(os.geteuid())
    path = os.pathsep.join(os.get_exec_path())
    shell = user.pw_shell or _SHELL
    words = command or _configured(config, type_)
    file, words = (_file(words, type_, path, named=bool(command)), words) if words else (shell, [])
    if not words:
        words = [f"-{Path(shell).name}"]  # a login shell
        if not Path(shell).is_file():
            raise TerminalError(
                "NOT_STARTED", f"the user's shell {shell} is not there; set EXAI_TERM_COMMAND"
            )
    variables = {
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "SHELL": shell,
        "PATH": path,
        "LANG": _LANG,
        "TERM": _TERM,
        "COLORTERM": _COLOURS,
        _MARK: session_id,
    }
    return Choice(
        file=file, words=words, folder=_folder(config, folder, user.pw_dir), variables=variables
    )


def _configured(config: Config, type_: SessionType) -> list[str]:
    text = config.term_claude_command if type_ == "claude" else config.term_command
    try:
        return shlex.split(text)
    except ValueError as fault:
        raise TerminalError("NOT_STARTED", f"{_SETTINGS[type_]} cannot be read: {fault}") from fault


def _file(words: list[str], type_: SessionType, path: str, *, named: bool) -> str:
    found = shutil.which(words[0], path=path)
    if found is not None:
        return str(Path(found).absolute())
    remedy = "is it installed?" if named else f"install it, or correct {_SETTINGS[type_]}"
    raise TerminalError("NOT_STARTED", f"there is no program {words[0]!r}: {remedy}")


def _folder(config: Config, wanted: str | None, home: str) -> str:
    """The real folder, within the allowed roots where there are some."""
    roots = [Path(os.path.realpath(root)) for root in config.allowed_roots]
    usual = str(roots[0]) if roots else home
    given = Path(wanted or usual)
    if not given.is_absolute():
        raise TerminalError("INVALID_REQUEST", f"the folder {wanted!r} must be an absolute path")
    real = Path(os.path.realpath(given))
    if roots and not any(real.is_relative_to(root) for root in roots):
        raise TerminalError(
            "NOT_ALLOWED", f"the folder {str(given)!r} is outside of EXAI_ALLOWED_ROOTS"
        )
    if not real.is_dir():
        raise TerminalError("NOT_STARTED", f"the folder {str(given)!r} is not there")
    return str(real)
