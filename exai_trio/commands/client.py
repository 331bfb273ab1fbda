"""A short-lived client of the daemon, for the commands: connect, hello, then typed messages.

The shim has its own link.
"""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import attrs
import trio
from msgspec import UNSET

from exai_trio import __version__, structs
from exai_trio.config import Config
from exai_trio.errors import (
    ArgumentError,
    ExaiError,
    OverCapacityError,
    ProtocolError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from exai_trio.shim.daemon_limits import DaemonLimits
from exai_trio.transport.client_auth import Credentials, credentials
from exai_trio.transport.websocket import Limits, PeerGone, Unreachable, WebSocket, connect
from exai_trio.wire.codec import Sequenced, WireError, decode_daemon, encode
from exai_trio.wire.messages import (
    PAYLOAD_REF,
    Ack,
    Bye,
    ClientMessage,
    DaemonMessage,
    Hello,
    HelloAck,
    ServerFacts,
)
from exai_trio.wire.payload_frames import Piece, decode_piece

CONNECT_S = 10.0  # address look-up, connect and handshake together

Dial = Callable[[str, int, Limits], AbstractAsyncContextManager[WebSocket]]


@structs.frozen(kw_only=True)
class Return:
    """What a client needs to come back to its session: everything up to `last_seq` is in its hands."""

    session_id: str
    last_seq: int


@structs.define(eq=False)
class Client:
    """One connection after its hello. One task receives, one sends. `resumed`: the daemon knows what the session asked.
    Cancelling `send` cuts the stream; cancelling `receive` loses nothing."""

    _socket: WebSocket
    server: ServerFacts | None
    session_id: str
    _seen: int = 0
    resumed: bool = False
    promise: DaemonLimits = attrs.field(factory=DaemonLimits)
    max_bytes: float = math.inf  # of one message to the daemon

    @property
    def way_back(self) -> Return:
        return Return(session_id=self.session_id, last_seq=self._seen)

    async def send(self, message: ClientMessage) -> None:
        """Raises PeerGone; ArgumentError or OverCapacityError for what cannot be sent or would not be taken."""
        frame = _encoded(message)
        size = len(frame.encode())
        if size > self.max_bytes:
            raise OverCapacityError(
                f"the call has {size} bytes; the daemon takes at most {self.max_bytes:.0f} in one message"
                " (EXAI_WS_MAX_BYTES). Send less text, or name files instead of pasting them"
            )
        await self._socket.send(frame)

    async def receive(self) -> DaemonMessage:
        """The next message; what was seen before a return is not repeated. Raises PeerGone or ProtocolError."""
        while isinstance(heard := await self.receive_any(), Piece):
            pass  # of a result that nobody fetches any more
        return heard

    async def receive_any(self) -> DaemonMessage | Piece:
        """The same, or the next piece of a large result."""
        while True:
            frame = await self._socket.receive()
            if isinstance(frame, bytes):
                return _piece(frame)
            sequenced = _decoded(frame)
            if sequenced.seq is None:
                return sequenced.message
            if sequenced.seq > self._seen:
                self._seen = sequenced.seq
                return sequenced.message

    async def acknowledge(self) -> None:
        """Tell the daemon that it may forget what it has sent. A daemon that is gone has forgotten anyway."""
        if self._seen:
            try:
                await self.send(Ack(seq=self._seen))
            except PeerGone:
                # audit: empty-handler, because a daemon that is gone has forgotten anyway
                return


@asynccontextmanager
async def open_client(
    config: Config,
    *,
    roots: tuple[str, ...] = (),
    back: Return | None = None,
    dial: Dial = connect,
) -> AsyncGenerator[Client]:
    """A client that has been let in, with `back` into the session that it left, if the daemon still has it.

    Raises Unreachable when no daemon answers, UnauthorizedError when it does not take our token, ProtocolError when
    what answers is no EXAI daemon, PeerGone when a daemon falls silent: the context is then cancelled. The connection is
    closed when the context is left.
    """
    limits = Limits(max_bytes=config.ws_max_bytes, close_s=config.ws_close_timeout)
    outcome: ExaiError | None = None
    with trio.CancelScope(relative_deadline=CONNECT_S) as connecting:
        async with dial(config.client_host, config.ws_port, limits) as socket:
            try:
                hello = _hello(config, credentials(config, socket.ends), roots, back)
                client = await _introduce(socket, hello, config)
                connecting.deadline = float("inf")
                async with _while_it_answers(socket, config):
                    yield client
            except ExaiError as fault:  # raised below: the connection's nursery would wrap it
                outcome = fault
    if outcome is not None:
        raise outcome
    if connecting.cancelled_caught:
        raise Unreachable(f"{config.ws_url} did not answer within {CONNECT_S:g} s")


@asynccontextmanager
async def _while_it_answers(socket: WebSocket, config: Config) -> AsyncGenerator[None]:
    """Raises PeerGone within EXAI_WS_PING_INTERVAL + EXAI_WS_PING_TIMEOUT of the daemon's last answer: one that is stopped
    keeps its connections open. Faults of the body leave as they are, not in a group."""
    fault: ExaiError | PeerGone | None = None
    body = trio.CancelScope()
    async with trio.open_nursery() as legs:
        legs.start_soon(_watch_answers, socket, config, body)
        try:
            with body:
                yield
        except (ExaiError, PeerGone) as raised:
            fault = raised
        legs.cancel_scope.cancel(reason="the client leaves")
    if fault is not None:
        raise fault
    if body.cancelled_caught:
        raise PeerGone(reason="no answer in time")


async def _watch_answers(socket: WebSocket, config: Config, body: trio.CancelScope) -> None:
    """Cancel the body when a ping is not answered. Of a connection that ends, the body hears itself."""
    with suppress(PeerGone):
        # audit: suppress, because the body hears itself of a connection that ends
        answers = True
        while answers:
            await trio.sleep(config.ws_ping_interval)
            answers = await socket.answers_ping(config.ws_ping_timeout)
        body.cancel(reason="the daemon does not answer")


def _hello(
    config: Config, shown: Credentials, roots: tuple[str, ...], back: Return | None
) -> Hello:
    return Hello(
        token=shown.token,
        jwt=shown.jwt,
        session_id=None if back is None else back.session_id,
        last_seq=0 if back is None else back.last_seq,
        client_name="exai",
        client_version=__version__,
        protocol=2,
        roots=list(roots) or None,
        max_frame_bytes=config.ws_max_bytes,
        accepts=[PAYLOAD_REF],
    )


async def _introduce(socket: WebSocket, hello: Hello, config: Config) -> Client:
    try:
        await socket.send(encode(hello))
        answer = _decoded(await socket.receive()).message
    except PeerGone as gone:
        raise _refused(gone, config) from gone
    if isinstance(answer, Bye):
        raise ServiceUnavailableError("the daemon is closing; try again in a moment")
    if not isinstance(answer, HelloAck):
        raise ProtocolError(f"{config.ws_url} does not greet like an EXAI daemon")
    return _let_in(socket, answer, hello)


def _let_in(socket: WebSocket, answer: HelloAck, hello: Hello) -> Client:
    if answer.ok:
        server = None if answer.server is UNSET else answer.server
        resumed = answer.resumed is True
        seen = hello.last_seq if resumed else 0
        limits = {} if answer.limits is UNSET else answer.limits
        promise = DaemonLimits.of(limits, DaemonLimits())
        most = limits.get("max_frame_bytes", math.inf)
        return Client(socket, server, answer.session_id or "", seen, resumed, promise, most)
    if answer.error == "unauthorized":
        told = "" if answer.message is UNSET else f": {answer.message}"
        raise UnauthorizedError(
            f"the daemon does not accept our token{told}; give EXAI_WS_TOKEN the value that the daemon was started with"
        )
    raise ProtocolError(f"the daemon refused the hello: {answer.error or 'without a reason'}")


def _refused(gone: PeerGone, config: Config) -> ProtocolError | ServiceUnavailableError:
    if gone.code in {1008, 1012}:
        return ServiceUnavailableError(f"the daemon let nobody in: {gone.reason or gone.code}")
    return ProtocolError(f"{config.ws_url} closed the connection without a greeting ({gone})")


def _encoded(message: ClientMessage) -> str:
    try:
        return encode(message)
    except WireError as fault:
        raise ArgumentError(str(fault)) from fault


def _decoded(frame: str | bytes) -> Sequenced:
    try:
        return decode_daemon(frame)
    except WireError as fault:
        raise ProtocolError(f"the daemon sent a frame that cannot be read: {fault}") from fault


def _piece(frame: bytes) -> Piece:
    try:
        return decode_piece(frame)
    except WireError as fault:
        raise ProtocolError(f"the daemon sent a frame that cannot be read: {fault}") from fault
