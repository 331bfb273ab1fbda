"""`exai term`: new, attach, list, rename, kill."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import attrs
import trio

from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.observability.times import human
from exai_trio.system.clock import unix_now
from exai_trio.terminal.session_policy import meant
from exai_trio.terminal.session_record import SessionRecord
from exai_trio.wire.terminal_errors import TerminalError

from .attach_terminal import Ended, attach
from .terminal_requests import ask, record_in, sessions

_USAGE = 2
_SHOWN_ID = 8


def main(started: Started) -> int:
    console = Console.of_process(started.environ)
    return trio.run(run, started.loaded.config, console, started.arguments)


async def run(config: Config, console: Console, asked: Namespace) -> int:
    """The exit code. Raises TerminalError, ExaiError, Unreachable or PeerGone."""
    match asked.action:
        case "new":
            return await _new(config, console, asked)
        case "attach":
            return await _attach(config, console, asked)
        case "list":
            return _list(await sessions(config), console, as_json=asked.json)
        case "rename":
            record = meant(await sessions(config), asked.session)
            await ask(config, "rename", session_id=record.session_id, tab_name=asked.name)
            return 0
        case _:
            return await _kill(config, console, asked)


async def _new(config: Config, console: Console, asked: Namespace) -> int:
    wish: dict[str, Any] = {
        "type": asked.type,
        "tab_name": asked.name,
        "project_path": _absolute(asked.cwd),
        "command": asked.program,
    }
    if asked.project:
        wish["project_id"] = asked.project
    record = record_in(await ask(config, "create", **wish))
    if asked.no_attach:
        console.say(record.session_id)
        return 0
    return _said(console, await attach(config, record.session_id, "rw"))


async def _attach(config: Config, console: Console, asked: Namespace) -> int:
    try:
        record = meant(await sessions(config), asked.session)
    except TerminalError as fault:
        if fault.recovery.action != "recreate" or not asked.recreate:
            raise
        record = record_in(await ask(config, "create", tab_name=asked.session))
    shown = await attach(config, record.session_id, "ro" if asked.read_only else "rw")
    return _said(console, shown)


def _absolute(folder: str | None) -> str:
    return str(Path(folder or "").absolute())


def _said(console: Console, ended: Ended) -> int:
    if ended.words:
        console.note(ended.words)
    return ended.code


async def _kill(config: Config, console: Console, asked: Namespace) -> int:
    there = await sessions(config)
    wanted = [meant(there, one) for one in asked.sessions]
    if asked.all:
        wanted = [one for one in there if one.is_running]
    elif not wanted:
        console.note("exai: which terminals? Name them, or say --all")
        return _USAGE
    async with trio.open_nursery() as ending:
        for record in wanted:
            ending.start_soon(_end, config, console, record)
    return 0


async def _end(config: Config, console: Console, record: SessionRecord) -> None:
    await ask(config, "kill", session_id=record.session_id)
    console.say(f"ended {record.session_id}")


def _list(found: list[SessionRecord], console: Console, *, as_json: bool) -> int:
    if as_json:
        console.say_json([attrs.asdict(one) for one in found])
    elif found:
        console.say(columns(map(_row, found), console.width))
    return 0


def _row(record: SessionRecord) -> tuple[str, ...]:
    tail = record.session_id.rpartition("_")[2][:_SHOWN_ID]
    state = "running" if record.is_running else f"ended {_exit(record)}"
    clients = f"{record.clients} attached" if record.clients else "detached"
    age = human(max(0.0, unix_now() - record.created))
    return tail, record.tab_name, record.type, state, clients, age, record.project_path


def _exit(record: SessionRecord) -> str:
    return "".join(str(value) for value in (record.exit or {}).values())
