"""The command line: arguments and environment to settings, then to one command.

A command's module is imported when it is asked for. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 75 no daemon, 130 interrupted."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

import attrs

from exai_trio import __version__
from exai_trio.commands.command_modules import CHANGE_SOMETHING, MODULES
from exai_trio.commands.invocation import Started
from exai_trio.commands.options import SETTING_OF, given, parser
from exai_trio.commands.usage.parser import HelpWanted, UsageFault, VersionWanted, command_first
from exai_trio.interpreter import anchored
from exai_trio.settings.load import ARGUMENTS, Loaded, load, own_file
from exai_trio.system.garbage_collector import look_seldom

FAILED, USAGE, INTERRUPTED = 1, 2, 130
Command = Callable[[Started], int]

_SAY_FAULTS_THEMSELVES = frozenset({"config", "doctor"})
_NEED_NO_SETTINGS = frozenset({"simulate", "completion"})
# Everything else is started in whatever project is open, and that project's .env is not ours to obey.
_READ_WHAT_LIES_THERE = frozenset({"serve"})
_LIES_THERE = Path(".env")
_MOST_LOOKED_AT = 65_536  # bytes of such a file


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 2 for what cannot be understood, with a line that is right."""
    _fill_standard_descriptors()
    environ = dict(os.environ)  # noqa: TID251  # the one place that reads the environment
    if "_ARGCOMPLETE" in environ:
        return _completed(environ)
    words = _words(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser(words[0]).parse_args(words)
    except (HelpWanted, UsageFault, VersionWanted) as asked:
        return _answered(asked, words, environ)
    return _run(arguments, words, environ)


def _words(argv: list[str]) -> list[str]:
    """What was typed, the command first. No words, and `help`, ask for help."""
    words = command_first(argv, MODULES)
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    return words or ["--help"]


def _run(arguments: Namespace, words: list[str], environ: dict[str, str]) -> int:
    module_path = _anchor_module_path()
    try:
        started = attrs.evolve(_started(arguments, environ, module_path), words=tuple(words))
    except OSError as fault:
        _complain(str(fault))
        return USAGE
    if not _settings_serve(started, words):
        return USAGE
    return _guarded(started)


def _completed(environ: dict[str, str]) -> int:
    """A shell asks what could stand on the command line."""
    from exai_trio.commands.completion.on_tab import complete  # for shells alone

    complete(parser(), lambda: _started(Namespace(command=""), environ).loaded.config)
    return 0


def _answered(
    asked: HelpWanted | UsageFault | VersionWanted, words: list[str], environ: dict[str, str]
) -> int:
    """What the command line says itself, without running a command."""
    match asked:
        case VersionWanted():
            sys.stdout.write(f"exai {__version__}\n")
        case HelpWanted():
            look_seldom()
            from exai_trio.commands.usage.help_text import write_help  # only who asks waits for it

            try:
                write_help(asked.parser, environ)
            except BrokenPipeError:
                return _unheard()
        case UsageFault():
            from exai_trio.commands.usage.repair import repaired, said  # only for what was mistyped

            _complain(said(asked))
            _suggest(repaired(words, parser))
            return USAGE
    return 0


def _fill_standard_descriptors() -> None:
    """Where we were started with 0, 1 or 2 closed, the next file of anybody's would be taken for stdin, stdout or stderr."""
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004  # stderr
        os.set_inheritable(lowest, True)  # noqa: FBT003  # it takes no keyword
    os.close(lowest)


def _anchor_module_path() -> str | None:
    """Processes of ours import nothing from the folder that they are started in. None where PYTHONPATH asks for no such thing."""
    given = os.environ.get("PYTHONPATH")  # noqa: TID251  # for the processes that this one starts
    clean = anchored(given or "", os.pathsep, str(Path.cwd()))
    if not given or clean == given:
        return None
    os.environ["PYTHONPATH"] = clean  # noqa: TID251  # as above
    return clean


def _started(
    arguments: Namespace, environ: dict[str, str], module_path: str | None = None
) -> Started:
    """Raises OSError or UnicodeError if a file of settings cannot be read; the one that ENV_FILE names may not be missing."""
    named = environ.get("ENV_FILE", "")
    path = Path(named or _LIES_THERE).absolute()
    if named:
        os.environ["ENV_FILE"] = str(path)  # noqa: TID251  # for the processes that this one starts elsewhere
    asked = bool(named) or arguments.command in _READ_WHAT_LIES_THERE
    look = partial(_text, path, named=bool(named)) if asked else lambda: None
    own = own_file(environ, sys.platform, environ.get("HOME", _user_home()))
    look_at_own = partial(_text, own) if own else lambda: None
    read = partial(_read, arguments, environ, found=not named)
    text = look()
    return Started(
        arguments=arguments,
        loaded=read(text, own=look_at_own()),
        env_file=None if text is None else str(path),
        own_file=own,
        environ=environ,
        found=text is not None and not named,
        pathsep=os.pathsep,
        module_path=module_path,
        reread=lambda: read(look(), own=look_at_own()),
    )


def _text(path: Path, *, named: bool = False) -> str | None:
    """Raises OSError, which says which file it is."""
    try:
        return path.read_text(encoding="utf-8") if named or path.is_file() else None
    except (OSError, UnicodeError) as fault:
        variable = "ENV_FILE=" if named else ""
        why = f"{variable}{path} cannot be read: {fault}"
        raise OSError(why) from fault


def _user_home() -> str:
    return os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises where there is none


def _read(
    arguments: Namespace, environ: dict[str, str], text: str | None, *, found: bool, own: str | None
) -> Loaded:
    return load(
        given(arguments),
        environ,
        text,
        os.pathsep,
        platform=sys.platform,
        user_home=_user_home(),
        cwd=str(Path.cwd()),
        found=found,
        own=own,
    )


def _settings_serve(started: Started, words: list[str]) -> bool:
    """Whether the command has what it needs; what is wrong with settings that it does not use is not mentioned."""
    command, loaded = started.arguments.command, started.loaded
    nothing_wrong = not (loaded.warnings or loaded.faults)
    if nothing_wrong or command in _SAY_FAULTS_THEMSELVES | _NEED_NO_SETTINGS:
        return True
    from exai_trio.settings.used import faults_of, warnings_of  # only when something is wrong

    faults = faults_of(command, loaded)
    for line in (*warnings_of(command, loaded), *map(str, faults)):
        _complain(line)
    typed = {fault.variable for fault in faults if fault.origin == ARGUMENTS}
    if typed:
        from exai_trio.commands.usage.repair import with_sample  # only when something was mistyped

        options = [
            f"--{name.replace('_', '-')}" for name, its in SETTING_OF.items() if its in typed
        ]
        _suggest(with_sample(words, options, parser))
    return not faults


def _guarded(started: Started) -> int:
    """The border of the process: whatever happens ends in one line and an exit code."""
    try:
        module = _imported(f"exai_trio.commands.{MODULES[started.arguments.command]}")
        code = cast("Command", module.main)(started)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _unheard()
    except Exception as fault:  # noqa: BLE001  # said in one line; the logs of daemon and shim have the rest
        code = _failed(started, fault)
        _note_change(started, getattr(fault, "code", type(fault).__name__))
        return code
    _note_change(started, f"exit {code}" if code else "done")
    if started.arguments.command in _SAY_FAULTS_THEMSELVES:
        _mention_unread(started)
    return code


def _note_change(started: Started, result: str) -> None:
    if started.arguments.command in CHANGE_SOMETHING:
        from exai_trio.commands.access.change_notes import note_change  # only for changes

        try:
            note_change(started, result)
        except OSError as fault:
            _complain(f"the access log cannot be written: {fault}")


def _mention_unread(started: Started) -> None:
    """Somebody who looks for their settings may have them in a file that only `exai serve` reads unasked."""
    answered = started.env_file is not None or started.arguments.command in _READ_WHAT_LIES_THERE
    if answered or not _LIES_THERE.is_file():
        return
    from exai_trio.settings.load import sets_ours  # only when something is amiss

    try:
        with _LIES_THERE.open(encoding="utf-8") as file:
            ours = sets_ours(file.read(_MOST_LOOKED_AT))
    except (OSError, ValueError):  # audit: empty-handler, because it is only a hint
        return
    if ours:
        where = _LIES_THERE.absolute()
        _complain(
            f"{where} is read by `exai serve` alone; ENV_FILE={where} makes any command read it"
        )


def _imported(name: str) -> ModuleType:
    """The module. Nothing that it makes is garbage, and looking for some as often as usual would take a quarter of the time."""
    look_seldom()
    return import_module(name)


def _failed(started: Started, fault: Exception) -> int:
    from exai_trio.commands.exit_codes import (  # only when something failed
        NO_DAEMON,
        explained,
        first_of,
    )
    from exai_trio.commands.usage.advice import for_exception
    from exai_trio.errors import UnauthorizedError

    known = explained(fault)
    if known is not None:
        _complain(known.text)
        if line := for_exception(first_of(fault), started.words):
            _suggest(line)
        if known.code == NO_DAEMON or known.text.startswith(UnauthorizedError.code):
            _mention_unread(started)
        return known.code
    if started.loaded.config.log_level == "DEBUG":
        sys.excepthook(type(fault), fault, fault.__traceback__)
    _complain(f"unexpected {type(fault).__name__}: {fault}; LOG_LEVEL=DEBUG shows where")
    return FAILED


def _unheard() -> int:
    """The reader of our stdout is gone: spare the interpreter's last flush the same fault."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return FAILED


def _complain(line: str) -> None:
    from exai_trio.commands.console import Console  # only when there is something to complain of

    Console.of_process().note(f"exai: {line}")


def _suggest(line: str) -> None:
    from exai_trio.commands.console import Console

    Console.of_process().hint(f"try: {line}")
