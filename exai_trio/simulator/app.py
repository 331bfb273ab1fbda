"""The simulator as a server: both services and the control endpoints on one loopback port.

The accept loop is ours, the HTTP hypercorn's: only so can a connection be cut on purpose, and all of them be closed at
once at the end, even where a client has stopped reading.
"""

import json
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from .asking import Endpoint
from .control import Control, shown
from .desk import Desk, Visit
from .endpoints import (
    GLM_BASE,
    GLM_OFFERS,
    KIMI_BASE,
    KIMI_OFFERS,
    Offer,
    glm_nothing,
    kimi_nothing,
)
from .exchange import Exchange

log = logging.getLogger("exai.simulator")

DEFAULT_HOST = "127.0.0.1"
KEEP_ALIVE_S = 60.0
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def serve(
    host: str,
    port: int,
    *,
    request_log: Path | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; reports the origin, such as "http://127.0.0.1:41234", once connections are accepted.

    `request_log` gets one JSON line for every request, when it has ended. Cancelling closes every connection at once.
    """
    desk = Desk()
    started = trio.current_time()
    with _writing(request_log, started) as write:
        site = _Site(desk=desk, wrapped=_wrapped(desk, started, write))
        listeners = await trio.open_tcp_listeners(port, host=host)
        try:
            async with trio.open_nursery() as accepting:
                await accepting.start(trio.serve_listeners, site.connection, listeners)
                task_status.started(_origin(listeners[0]))
                try:
                    await trio.sleep_forever()
                finally:  # inside, for the nursery waits for what only this can end
                    site.close_all()
        finally:
            for listener in listeners:
                listener.socket.close()


def _origin(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wrapped(desk: Desk, started: float, write: Callable[[Visit], None]) -> ASGIWrapper:
    exchange = partial(Exchange, desk=desk, ended=write)
    routes = [
        *Control(desk, started).routes(),
        Mount(GLM_BASE, routes=_service(partial(exchange, vendor="glm"), GLM_OFFERS, glm_nothing)),
        Mount(
            KIMI_BASE, routes=_service(partial(exchange, vendor="kimi"), KIMI_OFFERS, kimi_nothing)
        ),
    ]
    return ASGIWrapper(cast("ASGIFramework", Starlette(routes=routes)))


def _service(
    exchange: Callable[..., Exchange], offers: tuple[Offer, ...], nothing: Endpoint
) -> list[Route]:
    """One service's routes; whatever it does not offer is answered in its own words."""
    routes = [
        Route(offer.path, exchange(endpoint=offer.endpoint), methods=[offer.method])
        for offer in offers
    ]
    return [*routes, Route("/{rest:path}", exchange(endpoint=nothing), methods=list(METHODS))]


@contextmanager
def _writing(path: Path | None, started: float) -> Generator[Callable[[Visit], None], None, None]:
    """How an ended request gets into the log file: in one stretch, so that a cancelled request is written too."""
    if path is None:
        yield lambda _visit: None
        return
    with path.open("a", encoding="utf-8", errors="replace") as lines:

        def write(visit: Visit) -> None:
            lines.write(json.dumps(shown(visit, started), ensure_ascii=False) + "\n")
            lines.flush()

        yield write


def _config() -> Config:
    config = Config()
    config.errorlog = None
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.keep_alive_max_requests = 1_000_000
    return config


@attrs.define(kw_only=True)
class _Site:
    """All connections of one server."""

    desk: Desk
    wrapped: ASGIWrapper
    config: Config = attrs.field(factory=_config)
    context: WorkerContext = attrs.field(factory=lambda: WorkerContext(None))
    open: set[trio.SocketStream] = attrs.field(factory=set[trio.SocketStream])

    async def connection(self, stream: trio.SocketStream) -> None:
        """Serve one connection; a failure in it is logged and ends nothing else."""
        self.open.add(stream)
        self.desk.connections += 1
        try:
            await self._talk(stream)
        except* Exception:
            log.exception("a connection failed")
        finally:
            self.open.discard(stream)
            self.desk.connections -= 1

    async def _talk(self, stream: trio.SocketStream) -> None:
        state = ConnectionState({"transport": stream})
        # hypercorn's annotation names its TLS stream only; it handles plain ones.
        await TCPServer(self.wrapped, self.config, self.context, state, cast("Any", stream)).run()

    def close_all(self) -> None:
        """Close the sockets under their tasks: hypercorn's writes are shielded, and a full socket would hold them for ever."""
        for stream in self.open:
            stream.socket.close()
