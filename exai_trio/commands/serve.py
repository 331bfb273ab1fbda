"""`exai serve`: the daemon; says where it is once it truly serves. Signals and logs are the daemon's own."""

from functools import partial

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.started import Started
from exai_trio.config import Config
from exai_trio.daemon.app import Addresses, serve


def main(started: Started) -> int:
    replace = bool(started.arguments.replace)
    trio.run(partial(run, replace=replace), started.loaded.config, Console.of_process())
    return 0


async def run(config: Config, console: Console, *, replace: bool = False) -> None:
    """Returns when the daemon has drained. Raises what it could not start for, in a group."""
    async with trio.open_nursery() as daemon:
        addresses: Addresses = await daemon.start(partial(serve, config, replace=replace))
        _announce(line(addresses), console)


def _announce(text: str, console: Console) -> None:
    """Whoever started us may not read; that is no reason to end."""
    try:
        console.say(text)
    except (OSError, ValueError):
        return


def line(addresses: Addresses) -> str:
    parts = {
        "WebSocket": addresses.websocket,
        "health": addresses.health,
        "monitoring": addresses.monitoring,
        "simulator": addresses.simulator,
    }
    found = ", ".join(f"{name} {url}" for name, url in parts.items() if url)
    return f"exai serves: {found}"
