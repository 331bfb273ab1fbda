"""HTTP with our own accept loop and hypercorn for the protocol; the application is any ASGI one. No routes here.

Only an accept loop of our own can close every connection at once at the end, even where a client has stopped reading, and
cut one on purpose.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from exai_trio import structs
from exai_trio.transport.open_files import is_scarce

log = logging.getLogger("exai.http")

_IDLE_S = 60.0

AsgiApp = Callable[..., Awaitable[None]]


def _config(site: "HttpSite") -> Config:
    config = Config()
    config.errorlog = None
    config.keep_alive_timeout = site.idle_s
    config.keep_alive_max_requests = 1_000_000
    return config


class _Server(TCPServer):
    async def _read_data(self) -> None:
        """As hypercorn has it; and who has hung up is not kept for as long as who is idle."""
        await super()._read_data()
        await self.idle_task.stop()


@structs.define(eq=False)
class HttpSite:
    """One application and its open connections. The application finds its connection's stream in scope["state"]["transport"].

    A connection that asks nothing for `idle_s` seconds is closed; one beyond `most`, or of the last descriptors, at once.
    """

    app: AsgiApp
    most: float = float("inf")
    idle_s: float = _IDLE_S
    open: set[trio.SocketStream] = attrs.field(factory=set[trio.SocketStream])
    _config: Config = attrs.field(default=attrs.Factory(_config, takes_self=True))
    _context: WorkerContext = attrs.field(factory=lambda: WorkerContext(None))

    async def serve(
        self,
        listeners: list[trio.SocketListener],
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled, which closes listeners and connections at once. Starts with the origin, such as
        "http://127.0.0.1:41234"."""
        async with trio.open_nursery() as accepting:
            await accepting.start(trio.serve_listeners, self._connection, listeners)
            task_status.started(origin(listeners[0]))
            try:
                await trio.sleep_forever()
            finally:  # inside, for the nursery waits for what only this can end
                self._close_all()

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Serve one connection; a failure in it is logged and ends nothing else."""
        if len(self.open) >= self.most or is_scarce(stream, "http"):
            return
        self.open.add(stream)
        try:
            await self._talk(stream)
        except* Exception:
            log.exception("an HTTP connection failed")
        finally:
            self.open.discard(stream)

    async def _talk(self, stream: trio.SocketStream) -> None:
        app = ASGIWrapper(cast("ASGIFramework", self.app))
        state = ConnectionState({"transport": stream})
        # hypercorn's annotation names its TLS stream only; it handles plain ones.
        await _Server(app, self._config, self._context, state, cast("Any", stream)).run()

    def _close_all(self) -> None:
        """Close the sockets under their tasks: hypercorn's writes are shielded, and a full socket would hold them for ever."""
        for stream in self.open:
            stream.socket.close()


def origin(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
