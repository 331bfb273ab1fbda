"""`exai config`: the settings in force, and what an editor needs to start the shim."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exai_trio import structs
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.commands.setup import editor_formats
from exai_trio.interpreter import MODULE
from exai_trio.settings.load import ARGUMENTS, ENVIRON, FILES, OWN, Loaded
from exai_trio.settings.printing import example, rows, text_of
from exai_trio.settings.table import SETTINGS

_OTHERS: Final = 0o077


@structs.frozen(kw_only=True)
class Machine:
    """Where this program runs: the absolute path of its interpreter, of the ENV_FILE that was read, if any, and what
    PYTHONPATH must be instead, if it names the working directory."""

    interpreter: str
    env_file: str | None = None
    own_file: str | None = None
    pathsep: str = ":"
    module_path: str | None = None


def main(started: Started) -> int:
    """Prints also what is at fault: that is when one looks."""
    if started.arguments.action:
        from exai_trio.commands.setup import change_config  # for those who change something

        return change_config.main(started)
    machine = Machine(
        interpreter=sys.executable,
        env_file=started.env_file,
        own_file=None if started.own_file is None else str(started.own_file),
        pathsep=started.pathsep,
        module_path=started.module_path,
    )
    console, loaded = Console.of_process(), started.loaded
    if started.arguments.example:
        console.say(example(), end="")
        return 0
    if started.arguments.mcp:
        console.say(editor_configuration(started.arguments.mcp, loaded, machine))
        note_missing_secrets(loaded, console)
    else:
        console.say(table(loaded, machine))
        _note_loose(started.own_file, console)
    for line in (*loaded.warnings, *map(str, loaded.faults)):
        console.note(f"exai: {line}")
    return 2 if loaded.faults else 0


def _note_loose(own_file: Path | None, console: Console) -> None:
    """Secrets may stand in it."""
    if own_file is not None and own_file.is_file() and own_file.stat().st_mode & _OTHERS:
        console.note(f"exai: others may read {own_file}: chmod 600 {shlex.quote(str(own_file))}")


def table(loaded: Loaded, machine: Machine) -> str:
    head = [("setting", "value", "from")]
    return columns(
        [
            *head,
            *(
                (row.variable, row.value, _origin(row.origin, machine))
                for row in rows(loaded, machine.pathsep)
            ),
        ]
    )


def editor_configuration(editor: str, loaded: Loaded, machine: Machine) -> str:
    """What the editor reads, in its own shape. It holds no secrets: those belong into ENV_FILE."""
    server = editor_formats.Server(
        command=machine.interpreter,
        args=[*MODULE, "shim"],
        env=_env(loaded, machine),
    )
    return editor_formats.configuration(editor, server, loaded.config.client_timeout_s)


def note_missing_secrets(loaded: Loaded, console: Console) -> None:
    """Editors hand few variables on: say which of ours would be missing there."""
    lost = [
        setting.name
        for setting in SETTINGS
        if setting.secret and _source(loaded.origins, setting.field) in {ARGUMENTS, ENVIRON}
    ]
    if lost:
        console.note(
            f"exai: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} set in this shell only, and editors do not "
            "hand it on: write it into a file and name that file in ENV_FILE"
        )


def _env(loaded: Loaded, machine: Machine) -> dict[str, str]:
    env = {"EXAI_WS_AUTOSTART": "true"}
    if machine.env_file is not None:
        env["ENV_FILE"] = machine.env_file
    if machine.module_path is not None:
        env["PYTHONPATH"] = machine.module_path
    for setting in SETTINGS:
        given = _source(loaded.origins, setting.field) in {ARGUMENTS, ENVIRON}
        if given and not setting.secret:
            env[setting.name] = text_of(getattr(loaded.config, setting.field), machine.pathsep)
    return env


def _source(origins: Mapping[str, str], field: str) -> str:
    return origins[field].split(",", 1)[0]


def _origin(origin: str, machine: Machine) -> str:
    source, *renamed = origin.split(",", 1)
    file = machine.env_file if source in FILES else machine.own_file if source == OWN else None
    return origin if file is None else ",".join([file, *renamed])
