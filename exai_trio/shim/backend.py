"""The shim's side towards a daemon, put together.

Heavy to import: whoever wants a quick start does so late.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from exai_trio.config import Config
from exai_trio.mcp.calls.large_results import LargeResults
from exai_trio.mcp.sink import Sink
from exai_trio.transport import websocket

from .calls.relay import Relay
from .link import Link
from .tool_list_cache import ToolListCache


def to_daemon(
    config: Config, sink: Sink, tool_list: ToolListCache, wait_room: Callable[[], Awaitable[None]]
) -> tuple[Relay, Link]:
    """Relay and link to the daemon of the configuration."""
    relay = Relay(
        sink,
        LargeResults(config.home / "files"),
        max_frame=config.ws_max_bytes,
        client_s=config.client_timeout_s,
    )
    limits = websocket.Limits(max_bytes=config.ws_max_bytes, close_s=config.ws_close_timeout)
    dial = partial(websocket.connect, config.client_host, config.ws_port, limits)
    link = Link(config, relay, tool_list, dial, wait_room)
    if config.ws_autostart and config.loopback_only:
        from .autostart import Starter, daemon_command  # noqa: PLC0415  # not needed by who starts no daemon

        command = daemon_command(config)
        link.starter = starter = Starter(
            config.client_host, config.ws_port, config.state, command, config.drain_s
        )
        link.ensure_daemon = starter.ensure
    return relay, link
