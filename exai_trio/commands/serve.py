"""`exai serve`: the daemon; says where it is once it truly serves. Signals and logs are the daemon's own."""

from functools import partial

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.daemon.app import serve
from exai_trio.daemon.lifetime import Addresses
from exai_trio.daemon.reload import Reread
from exai_trio.system.open_files import raise_limit


def main(started: Started) -> int:
    raise_limit()
    console = Console.of_process()
    if (text := sources(started)) is not None:
        console.note(text)
    replace = bool(started.arguments.replace)
    running = partial(run, replace=replace)
    trio.run(running, started.loaded.config, console, started.reread)
    return 0


def sources(started: Started) -> str | None:
    """The file that settings were read from, if nobody named it."""
    if not started.found:
        return None
    return f"exai: settings from {started.env_file} (found in the working directory)"


async def run(
    config: Config, console: Console, reread: Reread | None = None, *, replace: bool = False
) -> None:
    """Returns when the daemon has drained. Raises what it could not start for, in a group."""
    async with trio.open_nursery() as daemon:
        serving = partial(serve, config, reread, replace=replace)
        addresses: Addresses = await daemon.start(serving)
        _announce(line(addresses), console)


def _announce(text: str, console: Console) -> None:
    """Whoever started us may not read; that is no reason to end."""
    try:
        console.say(text)
    except (OSError, ValueError):
        # audit: empty-handler, because who started us may not read, and that ends nothing
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
