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
from exai_trio.commands.terminal.text_width import cells
from exai_trio.settings import dotenv
from exai_trio.settings.load import FILES, OWN, Fault, Loaded
from exai_trio.settings.older_names import without_meaning
from exai_trio.settings.printing import example, rows
from exai_trio.settings.table import SETTINGS
from exai_trio.settings.trust import is_key

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
    if arguments.over_http and (arguments.install or arguments.remove):
        console.note("exai: a URL is pasted by hand: `exai config --mcp http claude` prints it")
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
        console.tell(table(loaded, machine, console.width))
        _note_loose(started.own_file, console)
        _note_without_meaning(started, console)
    for line in (*loaded.warnings, *map(str, faults)):
        console.note(f"exai: {line}")
    return 2 if faults else 0


def _print_for_editor(started: Started, machine: Machine, console: Console) -> tuple[Fault, ...]:
    """The faults that matter where it will be read."""
    from exai_trio.commands.editors.editors_command import where_to_put  # for those who ask for it

    editor, loaded = started.arguments.mcp, started.loaded
    if started.arguments.over_http:
        return _print_url(editor, loaded, console)
    console.say(editor_configuration(editor, loaded, machine))
    if is_for_others(loaded):
        console.note(f"exai: {FOR_OTHERS}")
        return tuple(fault for fault in loaded.faults if fault.field != "ws_host")
    console.note(f"exai: {where_to_put(editor, started.environ)}")
    note_missing_secrets(loaded, console)
    return loaded.faults


def _print_url(editor: str, loaded: Loaded, console: Console) -> tuple[Fault, ...]:
    from exai_trio.commands.editors import http_server  # for those who ask for it

    url, with_token = http_server.url_of(loaded.config), http_server.needs_token(loaded.config)
    if url is None:
        console.note(
            "exai: MCP over HTTP is off: set EXAI_MCP_PORT where the daemon runs, and here"
        )
        return loaded.faults
    console.say(http_server.http_configuration(editor, url, with_token=with_token))
    if with_token:
        console.note(
            f"exai: the editor must have {http_server.VARIABLE} in its environment; it is shown as Authorization: Bearer"
        )
    return loaded.faults


def _note_loose(own_file: Path | None, console: Console) -> None:
    """Secrets may stand in it."""
    if own_file is not None and own_file.is_file() and own_file.stat().st_mode & _OTHERS:
        console.note(f"exai: others may read {own_file}: chmod 600 {shlex.quote(str(own_file))}")


def _note_without_meaning(started: Started, console: Console) -> None:
    """Of a file that was named: it may be the older system's, or another program's too."""
    if started.env_file is None or started.found:
        return
    named = dotenv.parse(Path(started.env_file).read_text(encoding="utf-8")).values
    ours = {name for each in SETTINGS for name in (each.name, *each.aliases)}
    told = {line.split()[0] for line in started.loaded.warnings}  # each of those has its line
    lines, others = without_meaning(
        (name for name in named if name not in told and not is_key(name)), ours
    )
    if lines:
        console.note(f"exai: {started.env_file} sets what means nothing here; what is meant now:")
        console.note("\n".join(f"  {line}" for line in lines))
    if others:
        console.note(f"exai: {started.env_file} sets for other programs: {', '.join(others)}")


def table(loaded: Loaded, machine: Machine, width: int | None = None) -> str:
    """Under each other, or where `width` cells are too few one after the other."""
    cells_of = [
        (row.variable, row.value, _origin(row.origin, machine))
        for row in rows(loaded, machine.pathsep)
    ]
    drawn = columns([("setting", "value", "from"), *cells_of])
    if width is None or max(map(cells, drawn.splitlines())) <= width:
        return drawn
    return "\n".join(f"{variable}={value} ({origin})" for variable, value, origin in cells_of)


def _origin(origin: str, machine: Machine) -> str:
    source, *renamed = origin.split(",", 1)
    file = machine.env_file if source in FILES else machine.own_file if source == OWN else None
    return origin if file is None else ",".join([file, *renamed])
