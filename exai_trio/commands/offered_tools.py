"""`exai tools`: what the daemon offers, or, when none answers, what this package would offer."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import trio

from exai_trio.commands.client import Dial, open_client
from exai_trio.commands.console import Console, columns
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.tools.registry import BUILT_IN, Registry
from exai_trio.transport.websocket import Unreachable, connect
from exai_trio.wire.messages import ListTools, ToolList

Listing = list[dict[str, Any]]


def main(started: Started) -> int:
    return trio.run(
        partial(run, as_json=started.arguments.json, everything=started.arguments.all),
        started.loaded.config,
        Console.of_process(started.environ),
    )


async def run(
    config: Config, console: Console, *, as_json: bool, everything: bool, dial: Dial = connect
) -> int:
    """The exit code. Raises ExaiError."""
    if everything:
        _print_all(config, console, as_json=as_json)
        return 0
    try:
        tools = await _offered(config, dial)
    except Unreachable as absent:
        console.note(f"exai: {absent}; this is what the daemon would offer")
        tools = Registry.from_config(config).listing()
    if as_json:
        console.say_json(tools)
    else:
        console.say(_table(tools, console.width))
    return 0


async def _offered(config: Config, dial: Dial) -> Listing:
    async with open_client(config, dial=dial) as client:
        await client.send(ListTools())
        while not isinstance(answer := await client.receive(), ToolList):
            pass
    return answer.tools


def _print_all(config: Config, console: Console, *, as_json: bool) -> None:
    visible = {tool.name for tool in Registry.from_config(config).visible()}
    rows = [
        {
            "name": tool.name,
            "visibility": tool.visibility,
            "listed": tool.name in visible,
            "disabled": tool.name in config.disabled_tools,
            "description": tool.description,
        }
        for tool in BUILT_IN
    ]
    if as_json:
        console.say_json(rows)
        return
    console.say(
        columns(
            ((_mark(row), str(row["name"]), str(row["visibility"]), _first(row)) for row in rows),
            console.width,
        )
    )


def _mark(row: Mapping[str, Any]) -> str:
    return "off" if row["disabled"] else "listed" if row["listed"] else "hidden"


def _table(tools: Iterable[Mapping[str, Any]], width: int | None) -> str:
    return columns(((str(tool["name"]), _first(tool)) for tool in tools), width)


def _first(tool: Mapping[str, Any]) -> str:
    """The first sentence of the description."""
    text = " ".join(str(tool.get("description", "")).split())
    return text.split(". ", 1)[0].rstrip(".")[:120]
