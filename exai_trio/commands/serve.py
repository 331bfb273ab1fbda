"""`exai serve`: the daemon; says where it is once it truly serves.

Signals and logs are the daemon's own.
"""

import sys
from functools import partial
from typing import Final

import trio

from exai_trio.commands.console import Console
from exai_trio.commands.invocation import Started
from exai_trio.config import Config
from exai_trio.daemon.app import serve
from exai_trio.daemon.control.reload import Reread
from exai_trio.daemon.control.signals import SIGNALS
from exai_trio.daemon.lifetime import Addresses
from exai_trio.system.last_signals import ending_once
from exai_trio.system.open_files import raise_limit

# Seconds for which a thread keeps the interpreter while another waits for it. With Python's own 5 ms the event loop, which gives it up
# for each of its system calls, waits that long each time while the writer's thread folds calls into the database.
_SWITCH_S: Final = 0.0005


def main(started: Started) -> int:
    raise_limit()
    sys.setswitchinterval(_SWITCH_S)
    console = Console.of_process(started.environ)
    if (text := sources(started)) is not None:
        console.note(text)
    replace = bool(started.arguments.replace)
    trio.run(partial(_run_and_end, started, console, replace=replace))
    return 0


async def _run_and_end(started: Started, console: Console, *, replace: bool) -> None:
    serves = trio.Event()
    with ending_once(serves, *SIGNALS):
        await run(started.loaded.config, console, started.reread, replace=replace, serves=serves)


def sources(started: Started) -> str | None:
    """The file that settings were read from, if nobody named it."""
    if not started.found:
        return None
    return f"exai: settings from {started.env_file} (found in the working directory)"


async def run(
    config: Config,
    console: Console,
    reread: Reread | None = None,
    *,
    replace: bool,
    serves: trio.Event,
) -> None:
    """Returns when the daemon has drained; it `serves` once that is set. Raises what it could not start for, in a group."""
    async with trio.open_nursery() as daemon:
        serving = partial(serve, config, reread, replace=replace)
        addresses: Addresses = await daemon.start(serving)
        serves.set()
        _announce(line(addresses), console)
        for text in await trio.to_thread.run_sync(_warnings, config, addresses):
            console.note(text)


def _warnings(config: Config, addresses: Addresses) -> list[str]:
    """What whoever has just started a daemon would miss. Blocking."""
    found: list[str] = []
    if not (config.simulate or config.glm_api_key or config.kimi_api_key or config.providers_file):
        found.append(
            "exai: no provider is configured, so every question will fail: `exai init` finds one; or set GLM_API_KEY or KIMI_API_KEY,"
            " or EXAI_SIMULATE=true to try EXAI without a key"
        )
    wanted = (
        ("MONITORING_PORT", config.monitoring_port, addresses.monitoring, "pages"),
        ("INCIDENTS_PORT", config.incidents_port, addresses.incidents, "incidents"),
        ("HEALTH_CHECK_PORT", config.health_check_port, addresses.health, "health"),
        ("EXAI_MCP_PORT", config.mcp_port, addresses.mcp, "MCP over HTTP"),
    )
    taken = [each for each in wanted if each[1] and each[2] is None]
    if taken:
        from exai_trio.commands.checking.port_holder import holder  # a start is sooner without it

        for variable, port, _, what in taken:
            who = holder(port) or "somebody else"
            found.append(f"exai: port {port} is taken by {who}: no {what}; set {variable}")
    return found


def _announce(text: str, console: Console) -> None:
    """Whoever started us may not read; that is no reason to end."""
    try:
        console.tell(text)
    except (OSError, ValueError):
        # audit: empty-handler, because who started us may not read, and that ends nothing
        return


def line(addresses: Addresses) -> str:
    parts = {
        "WebSocket": addresses.websocket,
        "health": addresses.health,
        "monitoring": addresses.monitoring,
        "incidents": addresses.incidents,
        "MCP": addresses.mcp,
        "simulator": addresses.simulator,
    }
    found = ", ".join(f"{name} {url}" for name, url in parts.items() if url)
    return f"exai serves: {found}"
