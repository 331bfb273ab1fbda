"""The sockets that a daemon listens on, and the pace at which connections are taken from them."""

import errno
from typing import Final

import trio

from exai_trio import structs
from exai_trio.config import Config
from exai_trio.errors import ServiceUnavailableError

_BACKLOG: Final = 512
TURNS_BETWEEN: Final = 3  # of the event loop


async def bind(config: Config) -> list[trio.SocketListener]:
    """Listen on EXAI_WS_HOST and EXAI_WS_PORT; the caller closes. Raises ServiceUnavailableError saying what to do. Cancelling
    leaves nothing open."""
    try:
        return await trio.open_tcp_listeners(config.ws_port, host=config.ws_host, backlog=_BACKLOG)
    except OSError as fault:
        where = f"{config.ws_host}:{config.ws_port}"
        if fault.errno == errno.EADDRINUSE:
            message = f"port in use: something already listens on {where}. `exai status` tells whether it is EXAI;"
            raise ServiceUnavailableError(f"{message} otherwise set EXAI_WS_PORT") from fault
        raise ServiceUnavailableError(
            f"cannot listen on {where}: {fault.strerror or fault}; check EXAI_WS_HOST and EXAI_WS_PORT"
        ) from fault


@structs.frozen(eq=False)
class PacedListener(trio.abc.Listener[trio.SocketStream]):
    """Between two connections all others have some turns: a flood of strangers, each of whom is work for many tasks, makes no turn long.
    One that comes alone is taken at once."""

    _listener: trio.abc.Listener[trio.SocketStream]

    async def accept(self) -> trio.SocketStream:
        """The next connection; raises what the listener raises. Cancelling loses none."""
        for _ in range(TURNS_BETWEEN):
            await trio.lowlevel.checkpoint()
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Listen no more. Cancelling leaves it closed."""
        await self._listener.aclose()
