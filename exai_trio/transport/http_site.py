"""An ASGI application over HTTP: our own accept loop, and hypercorn for the protocol.

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
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from exai_trio import structs
from exai_trio.config import is_loopback
from exai_trio.system.open_files import is_scarce

from .http11_connection import Http11Server

log = logging.getLogger("exai.http")

_IDLE_S = 60.0
_MESSAGE_BYTES = 64 * 1024  # of a WebSocket: commands are short, and answers are ours
_OF_OTHERS = 0.75  # of the places: so many may other machines have

AsgiApp = Callable[..., Awaitable[None]]


def _config(site: "HttpSite") -> Config:
    config = Config()
    config.errorlog = None
    config.keep_alive_timeout = site.idle_s
    config.keep_alive_max_requests = 1_000_000
    config.websocket_max_message_size = _MESSAGE_BYTES
    return config


@structs.define(eq=False, repr=False)
class HttpSite:
    """One application and its open connections. The application finds its connection's stream in scope["state"]["transport"].

    A connection that asks nothing for `idle_s` seconds is closed; one of the last descriptors, at once. Of more than `most` the
    one goes that has asked nothing for longest, and the new one if all have; other machines have three places of four. Without
    `sockets` a request for a WebSocket is a plain one.
    """

    app: AsgiApp
    most: float = float("inf")
    idle_s: float = _IDLE_S
    sockets: bool = False
    open: set[trio.SocketStream] = attrs.field(factory=set[trio.SocketStream])
    _servers: dict[trio.SocketStream, Http11Server] = attrs.field(
        factory=dict["trio.SocketStream", Http11Server]
    )
    _others: set[trio.SocketStream] = attrs.field(factory=set["trio.SocketStream"])
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
        try:
            if is_scarce(stream, "http") or not self._make_room(stream):
                return
            self.open.add(stream)
            self._servers[stream] = server = self._server(stream)
            await server.run()
        except* Exception:
            log.exception("an HTTP connection failed")
        finally:
            self._forget(stream)

    def __repr__(self) -> str:
        at_work = sum(server.at_work for server in self._servers.values())
        return f"<HttpSite open={len(self.open)} of {self.most} at_work={at_work}>"

    def _make_room(self, stream: trio.SocketStream) -> bool:
        """Whether there is a place for it now."""
        if not _is_near(stream):
            if len(self._others) >= _OF_OTHERS * self.most and not self._displaced(self._others):
                return False
            self._others.add(stream)
        return len(self.open) < self.most or self._displaced(self.open)

    def _displaced(self, streams: set[trio.SocketStream]) -> bool:
        """Close the oldest of these that asks nothing. False if all do."""
        for stream, server in self._servers.items():
            if not server.at_work and stream in streams:
                self._forget(stream)
                stream.socket.close()
                return True
        return False

    def _forget(self, stream: trio.SocketStream) -> None:
        self.open.discard(stream)
        self._others.discard(stream)
        self._servers.pop(stream, None)

    def _server(self, stream: trio.SocketStream) -> Http11Server:
        app = ASGIWrapper(cast("ASGIFramework", self.app))
        state = ConnectionState({"transport": stream})
        # hypercorn's annotation names its TLS stream only; it handles plain ones.
        server = Http11Server(app, self._config, self._context, state, cast("Any", stream))
        server.upgrades = self.sockets
        return server

    def _close_all(self) -> None:
        """Close the sockets under their tasks: hypercorn's writes are shielded, and a full socket would hold them for ever."""
        for stream in self.open:
            stream.socket.close()


def _is_near(stream: trio.SocketStream) -> bool:
    """Whether its peer is this machine."""
    try:
        peer: object = stream.socket.getpeername()
    except OSError:  # audit: empty-handler, because a peer that is gone is not near
        return False
    return not isinstance(peer, tuple) or is_loopback(str(cast("tuple[object, ...]", peer)[0]))


def origin(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
