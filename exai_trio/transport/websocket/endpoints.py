"""Both ends of a WebSocket as EXAI uses them: open, receive, send, ping, close.

Whoever loses the peer gets PeerGone; many frames go out in one write; a stream whose write was cut is
never written again; a connection says goodbye within `close_s` and its socket is closed when its context is left.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NoReturn

import trio

from exai_trio import structs
from exai_trio.config import bracketed
from exai_trio.wire.hosts import Refusal

from ..peer_identity import Ends
from .connection_errors import NotListening, PeerGone, Unreachable, all_refused
from .connection_limits import Limits
from .frame_stream import NORMAL, FrameStream, Side
from .opening_handshake import accept_upgrade, request_upgrade
from .upgrade_request import Handshake

GOING_AWAY, POLICY = 1001, 1008
INTERNAL, SERVICE_RESTART, TRY_AGAIN_LATER = 1011, 1012, 1013


@structs.define(eq=False, repr=False)
class WebSocket:
    """One open connection. One task receives, one task sends; ping and close may come from others."""

    _frames: FrameStream
    _limits: Limits
    ends: Ends | None = None  # of a client's connection, unless it is within this process
    _is_closed: bool = False

    async def receive(self) -> str | bytes:
        """The next message. Raises PeerGone. Cancelling loses no message."""
        return await self._frames.receive()

    def relay(
        self, take: Callable[[str | bytes], Awaitable[None]]
    ) -> Coroutine[None, None, NoReturn]:
        """Hand every message to `take`, in order, until the connection ends. Raises PeerGone, or what `take` raised.

        While `take` waits nothing is read, pings and goodbyes of the peer included. Cancelling loses no message that was not
        yet handed over; who calls it again hears the next.
        """
        return self._frames.relay(take)  # idle for long, so without a frame of its own

    async def send(self, *frames: str | bytes) -> None:
        """Send the frames in order, in one write. Raises PeerGone, also if the peer takes nothing of it for `send_s`.

        Cancelling cuts the stream: nothing can be sent after it, not even a goodbye.
        """
        await self._frames.send(frames, self._limits.send_s)

    async def answers_ping(self, within_s: float) -> bool:
        """Whether the peer answers a ping. False once nothing was heard of it for `within_s`. Raises PeerGone. One task
        may ask. Cancelling may cut the stream."""
        return await self._frames.answers_ping(within_s)

    async def close(
        self, code: int = NORMAL, reason: str = "", *, last: str = "", within_s: float | None = None
    ) -> None:
        """Say what is the `last`, and goodbye, in one write, and wait for the answer, for `close_s` or `within_s` at most, also when
        cancelled; the second time nothing is waited for. Never raises but Cancelled."""
        if not self._is_closed:
            seconds = self._limits.close_s if within_s is None else within_s
            with trio.move_on_after(seconds, shield=True):
                await self._frames.close(code, reason[:120], last)
            self._is_closed = True


def accept(
    stream: trio.abc.Stream,
    limits: Limits,
    admit: Callable[[Handshake], Refusal | None],
) -> AbstractAsyncContextManager[WebSocket]:
    """Serve one WebSocket on `stream`. `admit` returns why a handshake is refused, or None.

    Raises PeerGone if the handshake is refused or fails; the caller bounds the time until the context is entered.
    The stream is closed when the context is left; without an earlier close the peer hears 1001.
    """
    shake = partial(accept_upgrade, stream, admit, limits.close_s)
    return _conversation(stream, Side.SERVER, limits, shake)


@asynccontextmanager
async def connect(
    host: str, port: int, limits: Limits, path: str = "/"
) -> AsyncGenerator[WebSocket]:
    """Open a WebSocket to ws://host:port with this path. Raises Unreachable (NotListening if refused); the caller bounds the time.

    The socket is closed when the context is left; without an earlier close the peer hears 1000. Cancelling closes it too.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as fault:
        if all_refused(fault.__cause__):
            raise NotListening(f"nothing listens on {host}:{port}") from fault
        raise Unreachable(f"{host}:{port} cannot be reached: {fault.__cause__ or fault}") from fault
    async with client_on(stream, f"{bracketed(host)}:{port}", limits, path) as socket:
        yield socket


def client_on(
    stream: trio.abc.Stream, authority: str, limits: Limits, path: str = "/"
) -> AbstractAsyncContextManager[WebSocket]:
    """The client's side of a WebSocket on any stream. Raises Unreachable if the other side refuses the upgrade.

    The stream is closed when the context is left, however that is; without an earlier close the peer hears 1000.
    """
    shake = partial(request_upgrade, stream, authority, path)
    return _conversation(stream, Side.CLIENT, limits, shake)


@asynccontextmanager
async def _conversation(
    stream: trio.abc.Stream, side: Side, limits: Limits, shake: Callable[[], Awaitable[bytes]]
) -> AsyncGenerator[WebSocket]:
    """A connection with its handshake and its goodbye. Our own outcomes leave as they are, not in a group."""
    outcome: PeerGone | Unreachable | None = None
    try:
        received = await shake()
        del shake  # a long idle connection is to be small
        async with trio.open_nursery() as background:
            frames = FrameStream.on(stream, side, received, background, limits)
            socket = WebSocket(frames, limits, Ends.of(stream) if side is Side.CLIENT else None)
            try:
                yield socket
            except (PeerGone, Unreachable) as raised:
                outcome = raised
            finally:
                await socket.close(GOING_AWAY if side is Side.SERVER else NORMAL)  # noqa: ASYNC102 - shielded and bounded in itself
                frames.leave()
                background.cancel_scope.cancel(reason="the connection was left")
    finally:
        if isinstance(stream, trio.SocketStream):
            stream.socket.close()  # which takes no turn of the scheduler
        else:
            await trio.aclose_forcefully(stream)
    if outcome is not None:
        raise outcome
