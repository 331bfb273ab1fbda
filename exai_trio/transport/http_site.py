"""An ASGI application over HTTP: an accept loop, and who may have a connection.

Only an accept loop of our own can close every connection at once at the end, even where a client has stopped reading, and
cut one on purpose.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from exai_trio import structs
from exai_trio.config import bracketed
from exai_trio.system.open_files import is_scarce

from .http_connection import AsgiApp, HttpConnection
from .trusted_proxies import Client, TrustedProxies

log = logging.getLogger("exai.http")

_Upgrade = Callable[[AsgiApp, trio.SocketStream, bytes], Awaitable[None]]

_IDLE_S = 60.0
_OF_OTHERS = 0.75  # of the places: so many may other machines have


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
    proxies: TrustedProxies = TrustedProxies()
    open: set[trio.SocketStream] = attrs.field(factory=set[trio.SocketStream])
    _connections: dict[trio.SocketStream, HttpConnection] = attrs.field(
        factory=dict["trio.SocketStream", HttpConnection]
    )
    _others: set[trio.SocketStream] = attrs.field(factory=set["trio.SocketStream"])
    _upgrade: _Upgrade | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._upgrade = None
        if self.sockets:
            from .websocket_upgrade import serve_upgraded  # loads hypercorn, for nothing else

            self._upgrade = serve_upgraded

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
            client = await self.proxies.client_of(stream)
            if client is None or is_scarce(stream, "http") or not self._make_room(stream, client):
                return
            self.open.add(stream)
            self._connections[stream] = connection = self._made(stream, client)
            await connection.run()
        except* Exception:
            log.exception("an HTTP connection failed")
        finally:
            self._forget(stream)

    def __repr__(self) -> str:
        at_work = sum(connection.at_work for connection in self._connections.values())
        return f"<HttpSite open={len(self.open)} of {self.most} at_work={at_work}>"

    def _make_room(self, stream: trio.SocketStream, client: Client) -> bool:
        """Whether there is a place for it now."""
        if not client.is_near:
            if len(self._others) >= _OF_OTHERS * self.most and not self._displaced(self._others):
                return False
            self._others.add(stream)
        return len(self.open) < self.most or self._displaced(self.open)

    def _displaced(self, streams: set[trio.SocketStream]) -> bool:
        """Close the oldest of these that asks nothing. False if all do."""
        for stream, connection in self._connections.items():
            if not connection.at_work and stream in streams:
                self._forget(stream)
                stream.socket.close()
                return True
        return False

    def _forget(self, stream: trio.SocketStream) -> None:
        self.open.discard(stream)
        self._others.discard(stream)
        self._connections.pop(stream, None)

    def _made(self, stream: trio.SocketStream, client: Client) -> HttpConnection:
        app = self.proxies.application(self.app, client)
        upgrade = None if self._upgrade is None else partial(self._upgrade, app)
        return HttpConnection(app, stream, self.idle_s, upgrade)

    def _close_all(self) -> None:
        """Close the sockets under their tasks: writes are shielded, and a full socket would hold them for ever."""
        for stream in self.open:
            stream.socket.close()


def origin(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://{bracketed(host)}:{port}"
