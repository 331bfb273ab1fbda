"""The command line: arguments and environment to one Config, then to one command. What commands do is in `commands`.

Each command is imported when it is asked for: an editor waits for `exai shim`. Exit codes: 0 done, 1 failed, 2 wrong
usage or settings, 75 no daemon, 130 interrupted.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import attrs

from exai_trio.options import SETTING_OF, parser
from exai_trio.settings.load import FILE, Loaded, load

DONE, FAILED, USAGE = 0, 1, 2
_QUIET = frozenset({"config", "doctor", "simulate"})  # show faults themselves, or need no settings


@attrs.frozen(kw_only=True)
class Started:
    """A command on its way: its arguments, the settings, and the ENV_FILE that gave some of them."""

    arguments: Namespace
    loaded: Loaded
    env_file: str | None


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code. argparse itself leaves by SystemExit."""
    arguments = parser().parse_args(argv)
    try:
        loaded, env_file = _load(arguments)
    except (OSError, UnicodeError) as fault:
        return _complain(f"ENV_FILE={os.environ.get('ENV_FILE', '')} cannot be read: {fault}", USAGE)
    command = str(arguments.command)
    if command not in _QUIET:
        for line in (*loaded.warnings, *map(str, loaded.faults)):
            _complain(line, USAGE)
        if loaded.faults:
            return USAGE
    return _guarded(
        Started(arguments=arguments, loaded=loaded, env_file=env_file), _COMMANDS[command]
    )


def _load(arguments: Namespace) -> tuple[Loaded, str | None]:
    """Raises OSError or UnicodeError if an ENV_FILE is named and cannot be read."""
    named = os.environ.get("ENV_FILE", "")
    path = Path(named or ".env")
    text = path.read_text(encoding="utf-8") if named or path.is_file() else None
    loaded = load(
        _given(arguments),
        os.environ,
        text,
        os.pathsep,
        platform=sys.platform,
        user_home=os.path.expanduser("~"),  # noqa: PTH111  # Path.home() raises where there is none
    )
    return loaded, None if text is None else str(path.absolute())


def _given(arguments: Namespace) -> dict[str, str]:
    """Settings on the command line, as texts by variable."""
    found = {variable: getattr(arguments, option, None) for option, variable in SETTING_OF.items()}
    texts = {variable: str(value) for variable, value in found.items() if value is not None}
    if "EXAI_HOME" in texts:
        texts["EXAI_HOME"] = str(Path(texts["EXAI_HOME"]).expanduser().absolute())
    return texts


def _guarded(started: Started, command: Callable[[Started], int]) -> int:
    """The border of the process: whatever happens ends in one line and an exit code."""
    try:
        return command(started)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_stdout()
        return FAILED
    except Exception as fault:
        from exai_trio.commands.outcomes import explained  # noqa: PLC0415  # only when something failed

        explained_fault = explained(fault)
        if explained_fault is None:
            return _unexpected(started, fault)
        return _complain(explained_fault.text, explained_fault.code)


def _unexpected(started: Started, fault: BaseException) -> int:
    import logging  # noqa: PLC0415  # only when something failed

    logging.getLogger("exai.cli").exception("unexpected fault")
    if started.loaded.config.log_level == "DEBUG":
        import traceback  # noqa: PLC0415  # only when something failed

        sys.stderr.write("".join(traceback.format_exception(fault)))
    return _complain(
        f"unexpected {type(fault).__name__}: {fault}; LOG_LEVEL=DEBUG shows where", FAILED
    )


def _complain(line: str, code: int) -> int:
    try:
        sys.stderr.write(f"exai: {line}\n")
    except (OSError, ValueError):
        return code
    return code


def _discard_stdout() -> None:
    """The reader of our stdout is gone: spare the interpreter's last flush the same fault."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _serve(started: Started) -> int:
    from exai_trio.commands import serve  # noqa: PLC0415  # see the module

    return serve.run(started.loaded.config)


def _shim(started: Started) -> int:
    import trio  # noqa: PLC0415  # see the module

    from exai_trio.observability.logs import open_logs  # noqa: PLC0415  # see the module
    from exai_trio.shim.app import run  # noqa: PLC0415  # see the module

    with open_logs(started.loaded.config, "ws_shim"):
        trio.run(run, started.loaded.config)
    return DONE


def _call(started: Started) -> int:
    import trio  # noqa: PLC0415  # see the module

    from exai_trio.commands import call, words  # noqa: PLC0415  # see the module
    from exai_trio.commands.console import Console  # noqa: PLC0415  # see the module

    arguments = started.arguments
    asked = call.Asked(
        tool=arguments.tool,
        pairs=words.split(arguments.words, _read),
        as_json=arguments.json,
        timeout_s=arguments.timeout,
        roots=(str(Path.cwd()),),
    )
    return trio.run(call.run, started.loaded.config, asked, Console.of_process())


def _tools(started: Started) -> int:
    from functools import partial  # noqa: PLC0415  # see the module

    import trio  # noqa: PLC0415  # see the module

    from exai_trio.commands import listing  # noqa: PLC0415  # see the module
    from exai_trio.commands.console import Console  # noqa: PLC0415  # see the module

    arguments = started.arguments
    run = partial(listing.run, as_json=arguments.json, everything=arguments.all)
    return trio.run(run, started.loaded.config, Console.of_process())


def _status(started: Started) -> int:
    from functools import partial  # noqa: PLC0415  # see the module

    import trio  # noqa: PLC0415  # see the module

    from exai_trio.commands import status  # noqa: PLC0415  # see the module
    from exai_trio.commands.console import Console  # noqa: PLC0415  # see the module

    run = partial(status.run, as_json=started.arguments.json)
    return trio.run(run, started.loaded.config, Console.of_process())


def _doctor(started: Started) -> int:
    from functools import partial  # noqa: PLC0415  # see the module

    import trio  # noqa: PLC0415  # see the module

    from exai_trio.commands import doctor  # noqa: PLC0415  # see the module
    from exai_trio.commands.console import Console  # noqa: PLC0415  # see the module

    run = partial(doctor.run, as_json=started.arguments.json)
    return trio.run(run, started.loaded, Console.of_process())
