"""`exai config`: the settings in force, and what an editor needs to start the shim."""

import shlex
from pathlib import Path
from typing import Final

from exai_trio.commands.console import Console, columns
from exai_trio.commands.editors.agent_skill import SKILL
from exai_trio.commands.editors.shim_server import (
    FOR_OTHERS,
    Machine,
    editor_configuration,
    is_for_others,
    machine_of,
    note_missing_secrets,
)
from exai_trio.commands.invocation import Started
from exai_trio.settings.load import FILES, OWN, Fault, Loaded
from exai_trio.settings.printing import example, rows

_OTHERS: Final = 0o077


def main(started: Started) -> int:
    """Prints also what is at fault: that is when one looks."""
    if started.arguments.action:
        from exai_trio.commands.setup import change_config  # for those who change something

        return change_config.main(started)
    machine = machine_of(started)
    console, loaded, arguments = Console.of_process(), started.loaded, started.arguments
    if arguments.container and not arguments.mcp:
        console.note("exai: say which editor: `exai config --mcp claude --container`")
        return 2
    if arguments.install or arguments.remove:
        from exai_trio.commands.editors import editors_command  # as above

        return editors_command.main(started, machine)
    if arguments.example or arguments.skill:
        console.say(example() if arguments.example else SKILL, end="")
        return 0
    faults = loaded.faults
    if arguments.mcp:
        faults = _print_for_editor(started, machine, console)
    else:
        console.say(table(loaded, machine))
        _note_loose(started.own_file, console)
    for line in (*loaded.warnings, *map(str, faults)):
        console.note(f"exai: {line}")
    return 2 if faults else 0


def _print_for_editor(started: Started, machine: Machine, console: Console) -> tuple[Fault, ...]:
    """The faults that matter where it will be read."""
    from exai_trio.commands.editors.editors_command import where_to_put  # for those who ask for it

    editor, loaded = started.arguments.mcp, started.loaded
    console.say(editor_configuration(editor, loaded, machine))
    if is_for_others(loaded):
        console.note(f"exai: {FOR_OTHERS}")
        return tuple(fault for fault in loaded.faults if fault.field != "ws_host")
    console.note(f"exai: {where_to_put(editor, started.environ)}")
    note_missing_secrets(loaded, console)
    return loaded.faults


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


def _origin(origin: str, machine: Machine) -> str:
    source, *renamed = origin.split(",", 1)
    file = machine.env_file if source in FILES else machine.own_file if source == OWN else None
    return origin if file is None else ",".join([file, *renamed])
