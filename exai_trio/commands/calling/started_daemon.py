"""A daemon for a command that needs one: started as the shim starts it, if none listens on this machine."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from exai_trio.commands.console import Console
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError
from exai_trio.settings.load import DEFAULT, Loaded
from exai_trio.transport.websocket import Unreachable

T = TypeVar("T")


def may_start(loaded: Loaded) -> bool:
    """EXAI_WS_AUTOSTART=false, said by somebody, is obeyed."""
    config = loaded.config
    return config.loopback_only and (
        config.ws_autostart or loaded.origins["ws_autostart"] == DEFAULT
    )


async def ensure(config: Config, console: Console) -> None:
    """Return once a daemon listens. Raises ServiceUnavailableError with what the daemon said that ended at once.

    Cancelling leaves a daemon that was started running.
    """
    from exai_trio.shim.autostart import Starter, daemon_command  # where none runs, which is seldom

    starter = Starter(
        config.client_host, config.ws_port, config.state, daemon_command(config), config.drain_s
    )
    console.status("starting the daemon")
    if not await starter.ensure():
        said = f": {starter.last_words}" if starter.last_words else ""
        raise ServiceUnavailableError(
            f"the daemon could not be started{said or f' on {config.ws_url}'}; `exai doctor` says more"
        )


async def with_daemon(
    running: Callable[[], Awaitable[T]], config: Config, console: Console, *, starts: bool
) -> T:
    """What comes of it, which began when a daemon was there. Raises what it raises; without `starts` also Unreachable. Cancelled, a
    daemon that was started stays."""
    try:
        return await running()
    except Unreachable:
        if not starts:
            raise
    await ensure(config, console)
    return await running()
