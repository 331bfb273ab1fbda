"""A TCP proxy that stands between shim and daemon, or daemon and database, and cuts, silences, slows or drops what goes through it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

_CHUNK = 1 << 16
_STEPS = 20  # in a second of a narrow line


@attrs.define(eq=False)
class Proxy:
    """`target` is a port, or a socket file. `delay` is in seconds for each piece, `rate` in bytes a second, each way. After `budget` bytes in all, everything is cut.
    While it is `dropping`, connections are accepted and closed."""

    target: int | str
    port: int = 0
    delay: float = 0.0
    rate: float = float("inf")
    budget: float = float("inf")
    dropping: bool = False
    connections: int = 0
    _muted: int = 0
    _open: set[trio.CancelScope] = attrs.field(factory=set)

    def cut(self) -> None:
        """Both ends of every connection hear a reset or an end, now."""
        for scope in list(self._open):
            scope.cancel(reason="cut")

    def mute(self) -> None:
        """What the connections of now still say is lost, while both ends believe that they stand."""
        self._muted = self.connections

    async def serve(self, client: trio.SocketStream) -> None:
        self.connections += 1
        if self.dropping:
            await client.aclose()
            return
        number = self.connections
        with trio.CancelScope() as scope:  # noqa: ASYNC912  # what is cut when asked
            self._open.add(scope)
            try:
                daemon = await self._reach()
                async with client, daemon, trio.open_nursery() as ways:
                    ways.start_soon(self._carry, client, daemon, scope, number)
                    ways.start_soon(self._carry, daemon, client, scope, number)
            except OSError:
                return
            finally:
                self._open.discard(scope)

    async def _reach(self) -> trio.SocketStream:
        if isinstance(self.target, str):
            return await trio.open_unix_socket(self.target)
        return await trio.open_tcp_stream("127.0.0.1", self.target)

    async def _carry(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        scope: trio.CancelScope,
        number: int,
    ) -> None:
        try:
            while data := await source.receive_some(int(min(_CHUNK, self.rate / _STEPS))):
                await trio.sleep(self.delay + len(data) / self.rate)
                if number <= self._muted:
                    continue
                room, self.budget = self.budget, self.budget - len(data)
                await sink.send_all(data if len(data) <= room else data[: int(max(room, 0))])
                if self.budget <= 0:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel(reason="one end has gone")


@asynccontextmanager
async def open_proxy(target: int | str) -> AsyncGenerator[Proxy]:
    """A proxy to this port or socket file, until the context is left."""
    proxy = Proxy(target)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxy.port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as serving:
        await serving.start(trio.serve_listeners, proxy.serve, listeners)
        yield proxy
        serving.cancel_scope.cancel()
